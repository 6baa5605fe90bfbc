//! Zones as a resolver sees them: records, signatures (RFC 4034, RFC 4035) and proofs that there is nothing.

use std::collections::{BTreeMap, BTreeSet};

use hickory_proto::dnssec::crypto::Ed25519SigningKey;
use hickory_proto::dnssec::rdata::{DNSKEY, DNSSECRData, DS, NSEC, RRSIG};
use hickory_proto::dnssec::{DigestType, DnssecSigner, SigningKey};
use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordSet, RecordType};
use time::{Duration, OffsetDateTime};

pub(super) const TTL: u32 = 3600;

/// All that there is, from the root on.
#[derive(Default)]
pub(super) struct Zones {
    zones: Vec<Zone>,
}

pub(super) struct Zone {
    name: Name,
    signer: Option<Signer>,
    records: BTreeMap<Name, Vec<RData>>,
}

pub(super) struct Signer {
    key: Vec<u8>,
    pub(super) flaw: Flaw,
}

/// What is wrong with the signatures of a zone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Flaw {
    None,
    /// They were good until yesterday.
    Expired,
    /// They are good from tomorrow on.
    NotYet,
    /// They are of a key that the zone does not have.
    WrongKey,
    /// There are none.
    Missing,
    /// They are of other data.
    OtherData,
    /// The parent knows another key.
    WrongDs,
    /// There is nothing that proves that something is not there.
    NoProof,
}

pub(super) fn name(text: &str) -> Name {
    let mut name = Name::from_ascii(text).unwrap();
    name.set_fqdn(true);
    name
}

impl Signer {
    pub(super) fn new(flaw: Flaw) -> Self {
        let key = Ed25519SigningKey::generate_pkcs8().unwrap();
        Self { key: key.secret_pkcs8_der().to_vec(), flaw }
    }

    fn key(&self) -> Ed25519SigningKey {
        Ed25519SigningKey::from_pkcs8(&self.key.clone().into()).unwrap()
    }

    /// As a record of the zone.
    pub(super) fn dnskey(&self) -> DNSKEY {
        DNSKEY::from_key(&self.key().to_public_key().unwrap())
    }

    fn ds(&self, zone: &Name) -> DS {
        let other = Self::new(Flaw::None);
        let dnskey = if self.flaw == Flaw::WrongDs { other.dnskey() } else { self.dnskey() };
        let digest = dnskey.to_digest(zone, DigestType::SHA256).unwrap();
        let tag = dnskey.calculate_key_tag().unwrap();
        DS::new(tag, SigningKey::algorithm(&self.key()), DigestType::SHA256, digest.as_ref().to_vec())
    }

    fn sign(&self, zone: &Name, records: &[Record]) -> Option<Record> {
        let first = &records[0];
        let is_key = first.record_type() == RecordType::DNSKEY;
        // A flaw in the keys' own signature would be another one than the flaw in what is asked for.
        let flaw = if is_key { Flaw::None } else { self.flaw };
        let now = OffsetDateTime::now_utc();
        let (begin, lasts) = match flaw {
            Flaw::Expired => (now - Duration::days(9), Duration::days(8)),
            Flaw::NotYet => (now + Duration::days(1), Duration::days(8)),
            _ => (now - Duration::days(1), Duration::days(8)),
        };
        let key = if flaw == Flaw::WrongKey { Self::new(Flaw::None).key() } else { self.key() };
        let dnskey = DNSKEY::from_key(&key.to_public_key().unwrap());
        let lasts = std::time::Duration::try_from(lasts).unwrap();
        let signer = DnssecSigner::new(dnskey, Box::new(key), zone.clone(), lasts);
        let mut set = RecordSet::with_ttl(first.name.clone(), first.record_type(), TTL);
        for record in records {
            let data = match (&record.data, flaw) {
                (RData::A(_), Flaw::OtherData) => RData::A("192.0.2.250".parse().unwrap()),
                (data, _) => data.clone(),
            };
            set.add_rdata(data);
        }
        if flaw == Flaw::Missing {
            return None;
        }
        let rrsig = RRSIG::from_rrset(&set, DNSClass::IN, begin, &signer).unwrap();
        Some(Record::from_rdata(first.name.clone(), TTL, RData::DNSSEC(DNSSECRData::RRSIG(rrsig))))
    }
}

impl Zone {
    fn rrset(&self, owner: &Name, kind: RecordType) -> Vec<Record> {
        let data = self.records.get(owner).into_iter().flatten();
        data.filter(|data| data.record_type() == kind)
            .map(|data| Record::from_rdata(owner.clone(), TTL, data.clone()))
            .collect()
    }

    fn signed(&self, records: Vec<Record>) -> Vec<Record> {
        let signature = match &self.signer {
            Some(signer) if !records.is_empty() => signer.sign(&self.name, &records),
            _ => None,
        };
        records.into_iter().chain(signature).collect()
    }

    fn exists(&self, owner: &Name) -> bool {
        self.records.keys().any(|name| owner.zone_of(name))
    }

    /// Records made of a wildcard's, with the wildcard's signature (RFC 4035 §3.1.3.3).
    fn wildcard(&self, owner: &Name, kind: RecordType) -> Vec<Record> {
        if self.exists(owner) {
            return Vec::new();
        }
        let wildcard = self.encloser(owner).prepend_label("*").unwrap();
        let mut records = self.signed(self.rrset(&wildcard, kind));
        for record in &mut records {
            record.name = owner.clone();
        }
        records
    }

    /// The name nearest above that exists.
    fn encloser(&self, owner: &Name) -> Name {
        let mut above = owner.base_name();
        while !self.exists(&above) {
            above = above.base_name();
        }
        above
    }

    /// The NSEC record at or before a name, with its signature (RFC 4035 §3.1.3).
    fn nsec(&self, at: &Name) -> Vec<Record> {
        let names: Vec<&Name> = self.records.keys().collect();
        let place = names.iter().rposition(|name| *name <= at).unwrap();
        let owner = names[place].clone();
        let next = names.get(place + 1).map_or(&self.name, |name| *name).clone();
        let kinds: BTreeSet<RecordType> = self.records[&owner].iter().map(RData::record_type).collect();
        let nsec = NSEC::new_cover_self(next, kinds);
        self.signed(vec![Record::from_rdata(owner, TTL, RData::DNSSEC(DNSSECRData::NSEC(nsec)))])
    }

    /// That there is no such name, or no such record of it.
    fn nothing(&self, owner: &Name) -> Vec<Record> {
        let mut records = self.signed(self.rrset(&self.name, RecordType::SOA));
        let Some(Signer { flaw, .. }) = &self.signer else { return records };
        if *flaw == Flaw::NoProof {
            return records;
        }
        let mut proofs = vec![self.nsec(owner)];
        if !self.exists(owner) {
            // And no wildcard either.
            proofs.push(self.nsec(&self.encloser(owner).prepend_label("*").unwrap()));
        }
        for proof in proofs {
            records.extend(proof.into_iter().filter(|record| !records.contains(record)).collect::<Vec<_>>());
        }
        records
    }
}

impl Zones {
    /// Adds a zone. Each line of `lines` is an owner's name below the zone, or `@`, a type and its data.
    pub(super) fn add(&mut self, zone: &str, signer: Option<Signer>, lines: &[&str]) -> &mut Self {
        let zone = name(zone);
        let mut records: BTreeMap<Name, Vec<RData>> = BTreeMap::new();
        let soa = "ns.example. hostmaster.example. 1 7200 3600 1209600 300";
        for (kind, data) in [(RecordType::SOA, soa), (RecordType::NS, "ns.example.")] {
            records.entry(zone.clone()).or_default().push(RData::try_from_str(kind, data).unwrap());
        }
        if let Some(signer) = &signer {
            let key = RData::DNSSEC(DNSSECRData::DNSKEY(signer.dnskey()));
            records.entry(zone.clone()).or_default().push(key);
        }
        for line in lines {
            let mut words = line.splitn(3, ' ');
            let owner = match words.next().unwrap() {
                "@" => zone.clone(),
                below => name(below).append_name(&zone).unwrap(),
            };
            let kind: RecordType = words.next().unwrap().parse().unwrap();
            let data = RData::try_from_str(kind, words.next().unwrap()).unwrap();
            records.entry(owner).or_default().push(data);
        }
        let above = self.zones.iter_mut().filter(|above| above.name.zone_of(&zone));
        if let Some(above) = above.max_by_key(|above| above.name.num_labels()) {
            let delegation = above.records.entry(zone.clone()).or_default();
            delegation.push(RData::try_from_str(RecordType::NS, "ns.example.").unwrap());
            if let Some(signer) = &signer {
                delegation.push(RData::DNSSEC(DNSSECRData::DS(signer.ds(&zone))));
            }
        }
        self.zones.push(Zone { name: zone, signer, records });
        self
    }

    /// Records that no text can name.
    pub(super) fn add_data(&mut self, owner: &str, data: Vec<RData>) -> &mut Self {
        self.add_data_at(name(owner), data)
    }

    /// The same, for a name that cannot be written as text.
    pub(super) fn add_data_at(&mut self, owner: Name, data: Vec<RData>) -> &mut Self {
        let zone = self.zones.iter_mut().filter(|zone| zone.name.zone_of(&owner));
        let zone = zone.max_by_key(|zone| zone.name.num_labels()).unwrap();
        zone.records.entry(owner).or_default().extend(data);
        self
    }

    /// The zone that answers for a name: for DS it is the one above (RFC 4035 §3.1.4.1).
    fn zone(&self, owner: &Name, kind: RecordType) -> Option<&Zone> {
        let is_above = |zone: &&Zone| {
            zone.name.zone_of(owner) && !(kind == RecordType::DS && zone.name == *owner && !owner.is_root())
        };
        self.zones.iter().filter(is_above).max_by_key(|zone| zone.name.num_labels())
    }

    /// Answers as a resolver does, aliases followed.
    pub(super) fn answer(&self, message: &mut Message, owner: &Name, kind: RecordType) {
        let mut owner = owner.clone();
        for _ in 0..32 {
            let Some(zone) = self.zone(&owner, kind) else {
                message.metadata.response_code = ResponseCode::Refused;
                return;
            };
            let records = zone.rrset(&owner, kind);
            if !records.is_empty() {
                message.add_answers(zone.signed(records));
                return;
            }
            let made = zone.wildcard(&owner, kind);
            let mut alias = zone.signed(zone.rrset(&owner, RecordType::CNAME));
            if alias.is_empty() && made.is_empty() {
                alias = zone.wildcard(&owner, RecordType::CNAME);
            }
            let is_made = !zone.exists(&owner) && [&made, &alias].iter().any(|records| !records.is_empty());
            if is_made && zone.signer.is_some() {
                message.add_authorities(zone.nsec(&owner));
            }
            if !made.is_empty() {
                message.add_answers(made);
                return;
            }
            let Some(RData::CNAME(target)) = alias.first().map(|record| record.data.clone()) else {
                // RFC 4592 §2.2.1: where there is a wildcard, there is every name below.
                if !zone.exists(&owner) && !zone.exists(&zone.encloser(&owner).prepend_label("*").unwrap()) {
                    message.metadata.response_code = ResponseCode::NXDomain;
                }
                message.add_authorities(zone.nothing(&owner));
                return;
            };
            message.add_answers(alias);
            owner = target.0;
        }
    }
}
