//! Keys of DKIM in words.

use std::collections::HashMap;

use mta::dkim_rotation::{DkimSchedule, DkimSeen};
use store::{Store, StoreError, StoredDkimKey};
use types::Timestamp;
use types::directory::{DkimKey, DkimKeyState};

use crate::control::ControlTarget;
use crate::control::protocol::DkimKeySummary;
use crate::dkim::making;
use crate::outside::now;
use crate::secrets::{SecretError, Secrets};

/// What is known beside the keys themselves.
pub(super) struct Telling<'t> {
    target: &'t dyn ControlTarget,
    secrets: Result<Secrets, SecretError>,
    schedule: DkimSchedule,
    now: Timestamp,
}

impl<'t> Telling<'t> {
    pub(super) fn of(target: &'t dyn ControlTarget) -> Self {
        Self { target, secrets: target.secrets(), schedule: target.dkim_schedule(), now: now() }
    }

    pub(super) fn summary(&self, stored: &StoredDkimKey) -> DkimKeySummary {
        let key = &stored.key;
        let trouble = match &self.secrets {
            Ok(secrets) => making::open(secrets, stored).err().map(|trouble| trouble.to_string()),
            Err(error) => Some(error.to_string()),
        };
        DkimKeySummary {
            domain: key.domain.ascii().to_owned(),
            selector: key.selector.clone(),
            algorithm: key.algorithm,
            state: key.state,
            record_name: key.record_name(),
            record: key.record.clone(),
            zone_line: key.zone_line(),
            created_at: key.created_at.to_string(),
            changed_at: key.changed_at.to_string(),
            days: self.now.since(key.changed_at).as_secs() / 86_400,
            to_do: self.to_do(key, trouble.is_some()),
            trouble,
        }
    }

    fn to_do(&self, key: &DkimKey, is_unusable: bool) -> String {
        let domain = key.domain.ascii();
        match key.state {
            DkimKeyState::Active if is_unusable => {
                format!("it does not sign: {}", making::mend(&key.domain))
            }
            DkimKeyState::Next if is_unusable => {
                format!("it will never sign: `posta dkim rotate {domain}` makes another one")
            }
            DkimKeyState::Next => {
                let wait = self.schedule.settled_after.as_secs() / 60;
                let seen = match self.target.dkim_seen(key) {
                    DkimSeen::Unknown => String::new(),
                    DkimSeen::Missing => "; the DNS does not have it yet".to_owned(),
                    DkimSeen::Since(at) => format!("; the DNS has it, seen since {at}"),
                };
                format!(
                    "publish its record: it signs {wait} minutes after the server has seen it, or at once with `posta dkim \
                     rotate --now {domain}`{seen}"
                )
            }
            DkimKeyState::Active => "its record has to be in the DNS".to_owned(),
            DkimKeyState::Retired => {
                let until = key.changed_at.plus(self.schedule.overlap).to_string();
                let day = until.get(..10).unwrap_or_default();
                format!("leave its record in the DNS until {day}, then remove it")
            }
        }
    }
}

/// How many keys sign, and how many wait for their record, by domain.
pub(in super::super) struct Counts(HashMap<String, [usize; 2]>);

impl Counts {
    pub(in super::super) async fn read(store: &dyn Store) -> Result<Self, StoreError> {
        let mut counts: HashMap<String, [usize; 2]> = HashMap::new();
        for stored in store.all_dkim_keys().await? {
            let of_domain = counts.entry(stored.key.domain.ascii().to_owned()).or_default();
            match stored.key.state {
                DkimKeyState::Active => of_domain[0] += 1,
                DkimKeyState::Next => of_domain[1] += 1,
                DkimKeyState::Retired => {}
            }
        }
        Ok(Self(counts))
    }

    pub(in super::super) fn of(&self, domain: &str) -> [usize; 2] {
        self.0.get(domain).copied().unwrap_or_default()
    }
}
