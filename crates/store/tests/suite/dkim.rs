//! What the trait `Directory` promises of keys with which domains sign.

use store::{DKIM_KEYS_MAX, SealedSecret, Store, StoreError, StoredDkimKey};
use types::directory::{DkimAlgorithm, DkimKey, DkimKeyState};
use types::{Domain, Timestamp};

pub async fn run_all(store: &dyn Store) {
    keys_are_kept_by_domain_and_selector(store).await;
    a_change_of_several_keys_is_one(store).await;
    keys_of_several_domains_or_too_many_are_refused(store).await;
}

fn domain(text: &str) -> Domain {
    text.parse().unwrap()
}

/// A key whose secret and record tell which one it is.
pub fn key(of: &str, selector: &str, state: DkimKeyState, secret: u8) -> StoredDkimKey {
    let key = DkimKey {
        domain: domain(of),
        selector: selector.into(),
        algorithm: DkimAlgorithm::Ed25519Sha256,
        state,
        record: format!("v=DKIM1; k=ed25519; p={secret}"),
        created_at: Timestamp::from_millis(1),
        changed_at: Timestamp::from_millis(2),
    };
    StoredDkimKey { key, secret: SealedSecret::new(vec![secret; 60]) }
}

pub async fn keys_are_kept_by_domain_and_selector(store: &dyn Store) {
    use DkimKeyState::{Active, Next};
    let of = domain("Schlüssel.example");
    assert_eq!(store.dkim_keys(&of).await.unwrap(), []);
    let missing = store.remove_dkim_key(&of, "b").await;
    assert_eq!(missing, Err(StoreError::NoSuchEntry));
    let (a, b) = (key("schlüssel.example", "a", Next, 1), key("schlüssel.example", "b", Active, 2));
    let version = store.directory_version();
    store.put_dkim_keys(vec![b.clone()]).await.unwrap();
    assert!(store.directory_version() > version);
    store.put_dkim_keys(vec![a.clone()]).await.unwrap();
    assert_eq!(store.dkim_keys(&domain("xn--schlssel-95a.example")).await.unwrap(), [a.clone(), b.clone()]);
    let other = key("aa.example", "z", Active, 3);
    store.put_dkim_keys(vec![other.clone()]).await.unwrap();
    assert_eq!(store.all_dkim_keys().await.unwrap(), [other, a.clone(), b]);
    // A domain and its keys are two things: neither needs the other.
    assert_eq!(store.domain(&of).await.unwrap(), None);
    let version = store.directory_version();
    store.remove_dkim_key(&of, "b").await.unwrap();
    assert!(store.directory_version() > version);
    assert_eq!(store.dkim_keys(&of).await.unwrap(), [a]);
    assert_eq!(store.remove_dkim_key(&of, "b").await, Err(StoreError::NoSuchEntry));
    store.remove_dkim_key(&of, "a").await.unwrap();
    assert_eq!(store.dkim_keys(&of).await.unwrap(), []);
    store.put_dkim_keys(Vec::new()).await.unwrap();
}

pub async fn a_change_of_several_keys_is_one(store: &dyn Store) {
    use DkimKeyState::{Active, Next, Retired};
    let of = "switch.example";
    store.put_dkim_keys(vec![key(of, "old", Active, 1), key(of, "new", Next, 2)]).await.unwrap();
    let now = [key(of, "new", Active, 2), key(of, "old", Retired, 1)];
    // Whoever reads meanwhile sees one of both, never two that sign or none.
    let read = async {
        let keys = store.dkim_keys(&domain(of)).await.unwrap();
        keys.iter().filter(|stored| stored.key.state == Active).count()
    };
    let (put, active) = tokio::join!(store.put_dkim_keys(now.to_vec()), read);
    put.unwrap();
    assert_eq!(active, 1);
    assert_eq!(store.dkim_keys(&domain(of)).await.unwrap(), now);
}

pub async fn keys_of_several_domains_or_too_many_are_refused(store: &dyn Store) {
    let keys = |of: &str, count: usize| -> Vec<StoredDkimKey> {
        (0..count).map(|n| key(of, &format!("k{n:03}"), DkimKeyState::Next, 1)).collect()
    };
    let of = "full.example";
    let several = [keys(of, 1), keys("other.example", 1)].concat();
    assert!(matches!(store.put_dkim_keys(several).await, Err(StoreError::Conflict(_))));
    let too_many = store.put_dkim_keys(keys(of, DKIM_KEYS_MAX + 1)).await;
    assert!(matches!(too_many, Err(StoreError::Conflict(_))), "{too_many:?}");
    assert_eq!(store.dkim_keys(&domain(of)).await.unwrap(), []);
    store.put_dkim_keys(keys(of, DKIM_KEYS_MAX)).await.unwrap();
    // Those that are there can be changed all the same.
    store.put_dkim_keys(keys(of, 2)).await.unwrap();
    assert_eq!(store.dkim_keys(&domain(of)).await.unwrap().len(), DKIM_KEYS_MAX);
}
