//! Stories of trusts and of identities that are used up.

use ship_core::{ProjectScope, Scope};

use super::*;
use crate::{Durability, Store};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn trust(number: u8) -> TrustRecord {
    TrustRecord {
        id: format!("trust{number:05}").parse().unwrap(),
        issuer: "github".parse().unwrap(),
        conditions: JobConditions {
            subject: Some("repo:acme/blue:*".parse().unwrap()),
            repository: Some("acme/blue".parse().unwrap()),
            branch: Some("main".parse().unwrap()),
            environment: Some("production".to_owned()),
        },
        role: Role::Deployer,
        project: "blue".parse().unwrap(),
        lifetime: Lifetime::OF_JOB,
        created_at: at(i64::from(number)),
        created_by: "0123456789".parse().unwrap(),
        expires_at: Some(at(1_000)),
    }
}

fn token(number: u16, trust: &TrustRecord) -> TokenRecord {
    let mut hash = [0; 32];
    hash[..2].copy_from_slice(&number.to_be_bytes());
    TokenRecord {
        id: format!("token{number:05}").parse().unwrap(),
        hash,
        name: "a job".parse().unwrap(),
        scope: Scope { role: trust.role, projects: ProjectScope::One(trust.project.clone()) },
        created_at: at(5),
        created_by: Some(trust.created_by.clone()),
        trust: Some(trust.id.clone()),
        expires_at: Some(at(100)),
        last_used_at: None,
    }
}

fn used(number: u16) -> UsedIdentity {
    UsedIdentity { hash: token(number, &trust(1)).hash, until: at(i64::from(number)) }
}

/// What was declared is there as it was, also after the store was closed; what is removed takes its tokens along, and no others.
#[test]
fn declared_and_removed() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), Durability::Durable).unwrap();
    let bare = TrustRecord {
        issuer: "gitlab=https://git.example".parse().unwrap(),
        conditions: JobConditions { repository: Some("a/b/c".parse().unwrap()), ..JobConditions::default() },
        expires_at: None,
        ..trust(2)
    };
    store.trusts().add(&trust(1)).unwrap();
    store.trusts().add(&bare).unwrap();
    store.trusts().exchange(&bare.id, &token(1, &bare), used(1)).unwrap();
    store.trusts().exchange(&trust(1).id, &token(2, &trust(1)), used(2)).unwrap();
    drop(store);
    let store = Store::open(folder.path(), Durability::Durable).unwrap();
    assert_eq!(store.trusts().all().unwrap(), [trust(1), bare.clone()]);
    assert_eq!(store.tokens().all().unwrap(), [token(1, &bare), token(2, &trust(1))]);
    assert_eq!(store.trusts().remove(&trust(1).id).unwrap(), Some(vec![token(2, &trust(1)).id]));
    assert_eq!(store.trusts().remove(&trust(1).id).unwrap(), None);
    assert_eq!(store.tokens().all().unwrap(), [token(1, &bare)]);
    let gone = store.trusts().exchange(&trust(1).id, &token(3, &trust(1)), used(3));
    assert!(matches!(gone, Err(ExchangeError::Gone)), "{gone:?}");
}

/// An identity is exchanged once, whatever happens in between, until nobody could use it any more anyway.
#[test]
fn once() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), Durability::Durable).unwrap();
    store.trusts().add(&trust(1)).unwrap();
    store.trusts().exchange(&trust(1).id, &token(1, &trust(1)), used(7)).unwrap();
    drop(store);
    let store = Store::open(folder.path(), Durability::Durable).unwrap();
    let again = |number| store.trusts().exchange(&trust(1).id, &token(number, &trust(1)), used(7));
    assert!(matches!(again(2), Err(ExchangeError::Used)));
    assert_eq!(store.tokens().all().unwrap(), [token(1, &trust(1))]);
    assert_eq!(store.trusts().forget_used(at(7)).unwrap(), 0);
    assert!(matches!(again(2), Err(ExchangeError::Used)));
    assert_eq!(store.trusts().forget_used(at(8)).unwrap(), 1);
    again(2).unwrap();
}

/// However many jobs there are, only so many tokens of a trust are.
#[test]
fn bounded() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), Durability::Relaxed).unwrap();
    store.trusts().add(&trust(1)).unwrap();
    let exchange = |number| store.trusts().exchange(&trust(1).id, &token(number, &trust(1)), used(number));
    let most = u16::try_from(TOKENS_OF_TRUST).unwrap();
    (0..most).for_each(|number| exchange(number).unwrap());
    assert!(matches!(exchange(most), Err(ExchangeError::TooMany)));
    // What has ended makes room, and sooner than tokens that people made.
    assert_eq!(store.tokens().remove_expired(at(200), at(100)).unwrap(), 0);
    assert_eq!(store.tokens().remove_expired(at(0), at(101)).unwrap(), usize::from(most));
    exchange(most).unwrap();
}
