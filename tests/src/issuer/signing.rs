//! Signing identities, rightly and wrongly.

use std::sync::Arc;

use data_encoding::{BASE64, BASE64URL_NOPAD};
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::{Value, json};

/// A key that is known to everybody who reads this, since `ring` makes none for RSA. It signs nothing but the identities of stories.
const RSA_KEY: &str = include_str!("rsa.pem");

/// What signs identities.
#[derive(Clone, Debug)]
pub struct SigningKey {
    name: String,
    pair: Arc<Pair>,
}

#[derive(Debug)]
enum Pair {
    Ecdsa(EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

impl SigningKey {
    /// A new key for ES256.
    pub fn es256(name: &str) -> Self {
        let random = SystemRandom::new();
        let document =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).expect("keys can be made");
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random);
        Self { name: name.to_owned(), pair: Arc::new(Pair::Ecdsa(pair.expect("it was just made"))) }
    }

    /// The key for RS256.
    pub fn rs256(name: &str) -> Self {
        let base64: String = RSA_KEY.lines().filter(|line| !line.starts_with('-')).collect();
        let document = BASE64.decode(base64.as_bytes()).expect("it is written in base 64");
        let pair = RsaKeyPair::from_pkcs8(&document).expect("it is a key");
        Self { name: name.to_owned(), pair: Arc::new(Pair::Rsa(pair)) }
    }

    /// What identities call it (`kid`).
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The same key under another name.
    #[must_use]
    pub fn called(&self, name: &str) -> Self {
        Self { name: name.to_owned(), pair: Arc::clone(&self.pair) }
    }

    /// The algorithm that it signs with.
    pub fn algorithm(&self) -> &'static str {
        match &*self.pair {
            Pair::Ecdsa(_) => "ES256",
            Pair::Rsa(_) => "RS256",
        }
    }

    /// The key as everybody may know it (RFC 7517).
    pub fn published(&self) -> Value {
        let text = |bytes: &[u8]| BASE64URL_NOPAD.encode(bytes);
        match &*self.pair {
            Pair::Ecdsa(pair) => {
                let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
                json!({ "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": self.name, "x": text(x), "y": text(y) })
            }
            Pair::Rsa(pair) => {
                let PublicKeyComponents { n, e } = PublicKeyComponents::<Vec<u8>>::from(pair.public());
                json!({ "kty": "RSA", "use": "sig", "alg": "RS256", "kid": self.name, "n": text(&n), "e": text(&e) })
            }
        }
    }

    /// Signs bytes.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &*self.pair {
            Pair::Ecdsa(pair) => pair.sign(&random, message).expect("it signs").as_ref().to_vec(),
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).expect("it signs");
                signature
            }
        }
    }
}

/// An identity that a key has signed.
pub fn signed(key: &SigningKey, claims: &Value) -> String {
    let header = json!({ "typ": "JWT", "alg": key.algorithm(), "kid": key.name() });
    compact(&header, claims, |message| key.sign(message))
}

/// An identity with any header and any signature (RFC 7515, section 7.1).
pub fn compact(header: &Value, claims: &Value, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let part = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    let message = format!("{}.{}", part(header), part(claims));
    let signature = BASE64URL_NOPAD.encode(&sign(message.as_bytes()));
    format!("{message}.{signature}")
}
