//! A platform of continuous integration, as far as identities go: it vouches for jobs, publishes its keys, and does both wrong where a
//! story wants that.

mod signing;

use std::io::{BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::http::read_request_head;

pub use signing::{SigningKey, compact, signed};

/// What a job of this platform asks for its identity with.
pub const JOB_SECRET: &str = "the job's own secret";

/// How an issuer answers when it is asked for its keys.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum KeysAnswer {
    /// With its keys.
    Right,
    /// With its keys, and then without an end.
    Endless,
    /// With an error.
    Failing,
    /// By leading to another place, where the same keys are.
    Elsewhere,
    /// With its keys, but the description before them is of another issuer.
    OtherIssuer,
    /// With its keys, but the description says that they are at this address.
    At(String),
}

/// A platform on this machine. It lives as long as the story's process.
#[derive(Clone, Debug)]
pub struct TestIssuer {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    address: String,
    keys: Mutex<Vec<SigningKey>>,
    answer: Mutex<KeysAnswer>,
    /// What it says of the job that asks for its identity.
    job: Mutex<Value>,
    questions: AtomicUsize,
    names: AtomicUsize,
}

impl Default for TestIssuer {
    fn default() -> Self {
        Self::start()
    }
}

impl TestIssuer {
    /// A platform with a key for ES256 and one for RS256.
    pub fn start() -> Self {
        Self::answering(KeysAnswer::Right)
    }

    /// A platform that answers like this when it is asked for its keys.
    pub fn answering(answer: KeysAnswer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it has an address").to_string();
        let inner = Inner {
            address,
            keys: Mutex::new(vec![SigningKey::es256("small"), SigningKey::rs256("large")]),
            answer: Mutex::new(answer),
            job: Mutex::default(),
            questions: AtomicUsize::default(),
            names: AtomicUsize::default(),
        };
        let issuer = Self { inner: Arc::new(inner) };
        let serving = issuer.clone();
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let issuer = serving.clone();
                thread::spawn(move || issuer.serve(&connection));
            }
        });
        issuer
    }

    /// Its address, as it stands in identities.
    pub fn url(&self) -> String {
        format!("http://{}", self.inner.address)
    }

    /// How often it was asked for its keys, or where they are.
    pub fn questions(&self) -> usize {
        self.inner.questions.load(Ordering::SeqCst)
    }

    /// Its key of a name: `small` or `large`, unless the story gave it others.
    #[track_caller]
    pub fn key(&self, name: &str) -> SigningKey {
        let keys = self.inner.keys.lock().unwrap_or_else(PoisonError::into_inner);
        keys.iter().find(|key| key.name() == name).expect("the issuer has the key").clone()
    }

    /// Has it publish this key as well from now on.
    pub fn publish(&self, key: SigningKey) {
        self.inner.keys.lock().unwrap_or_else(PoisonError::into_inner).push(key);
    }

    /// What GitHub says of a push to a branch of `acme/blue`, for a host of the domain `localhost`; a value in `change` replaces one, and
    /// `null` takes it away.
    pub fn github(&self, branch: &str, change: &Value) -> Value {
        let reference = format!("refs/heads/{branch}");
        let claims = json!({
            "sub": format!("repo:acme/blue:ref:{reference}"),
            "repository": "acme/blue",
            "repository_owner": "acme",
            "ref": reference,
            "ref_type": "branch",
            "event_name": "push",
            "run_id": "4711",
            "actor": "ann",
        });
        self.claims(claims, change)
    }

    /// What GitLab says of a push to a branch of `acme/teams/blue`, in the same way.
    pub fn gitlab(&self, branch: &str, change: &Value) -> Value {
        let claims = json!({
            "sub": format!("project_path:acme/teams/blue:ref_type:branch:ref:{branch}"),
            "project_path": "acme/teams/blue",
            "namespace_path": "acme/teams",
            "ref": branch,
            "ref_path": format!("refs/heads/{branch}"),
            "ref_type": "branch",
            "pipeline_source": "push",
            "pipeline_id": "815",
        });
        self.claims(claims, change)
    }

    fn claims(&self, mut claims: Value, change: &Value) -> Value {
        let number = self.inner.names.fetch_add(1, Ordering::SeqCst);
        let now = now();
        let common = json!({
            "iss": self.url(), "aud": "ship://localhost", "jti": format!("job {number}"),
            "iat": now, "nbf": now - 5, "exp": now + 300,
        });
        for more in [&common, change] {
            for (name, value) in more.as_object().into_iter().flatten() {
                claims[name] = value.clone();
            }
        }
        claims.as_object_mut().expect("claims have names").retain(|_, value| !value.is_null());
        claims
    }

    /// Has it vouch like this for the job that asks with [`JOB_SECRET`], for whichever audience that asks.
    pub fn runs(&self, claims: Value) {
        *self.inner.job.lock().unwrap_or_else(PoisonError::into_inner) = claims;
    }

    /// Where that job asks, as GitHub tells it.
    pub fn request_url(&self) -> String {
        format!("{}/identity?api-version=2.0", self.url())
    }

    fn serve(&self, connection: &TcpStream) {
        let mut reader = BufReader::new(connection);
        loop {
            let Some(head) = read_request_head(&mut reader) else { return };
            let target = head.split(' ').nth(1).unwrap_or_default().to_owned();
            let answer = self.answer(&target, &head);
            let endless = target == "/keys" && *self.keys_answer() == KeysAnswer::Endless;
            let length = if endless { String::new() } else { format!("content-length: {}\r\n", answer.1.len()) };
            let text = format!("HTTP/1.1 {}\r\n{length}\r\n{}", answer.0, answer.1);
            let mut sent = (&mut &*connection).write_all(text.as_bytes());
            while endless && sent.is_ok() {
                sent = (&mut &*connection).write_all(&[b' '; 4096]);
            }
            if sent.is_err() {
                return;
            }
        }
    }

    fn keys_answer(&self) -> std::sync::MutexGuard<'_, KeysAnswer> {
        self.inner.answer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Status line with further headers, and body.
    fn answer(&self, target: &str, head: &str) -> (String, String) {
        let ok = |body: Value| ("200 OK".to_owned(), body.to_string());
        let how = self.keys_answer().clone();
        let path = target.split('?').next().unwrap_or_default();
        match (path, how) {
            ("/identity", _) => self.identity(target, head),
            ("/.well-known/openid-configuration", how) => {
                self.inner.questions.fetch_add(1, Ordering::SeqCst);
                let issuer = if how == KeysAnswer::OtherIssuer { "https://other.example".into() } else { self.url() };
                let keys = if let KeysAnswer::At(url) = how { url } else { format!("{}/keys", self.url()) };
                ok(json!({ "issuer": issuer, "jwks_uri": keys, "id_token_signing_alg_values_supported": ["RS256"] }))
            }
            ("/keys", KeysAnswer::Failing) => ("500 Internal Server Error".to_owned(), String::new()),
            ("/keys", KeysAnswer::Elsewhere) => ("302 Found\r\nlocation: /others".to_owned(), String::new()),
            ("/keys" | "/others", _) => {
                self.inner.questions.fetch_add(1, Ordering::SeqCst);
                let keys = self.inner.keys.lock().unwrap_or_else(PoisonError::into_inner);
                ok(json!({ "keys": keys.iter().map(SigningKey::published).collect::<Vec<_>>() }))
            }
            _ => ("404 Not Found".to_owned(), String::new()),
        }
    }

    fn identity(&self, target: &str, head: &str) -> (String, String) {
        if !head.to_ascii_lowercase().contains(&format!("authorization: bearer {JOB_SECRET}")) {
            return ("401 Unauthorized".to_owned(), String::new());
        }
        let audience = target.split_once("&audience=").map(|(_, audience)| audience).unwrap_or_default();
        let audience = audience.replace("%3A", ":").replace("%2F", "/").replace("%2E", ".");
        let job = self.inner.job.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let claims = self.claims(job, &json!({ "aud": audience }));
        let identity = signed(&self.key("large"), &claims);
        ("200 OK".to_owned(), json!({ "value": identity }).to_string())
    }
}

/// Seconds since 1970.
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later than 1970");
    i64::try_from(since.as_secs()).expect("it is not that late")
}
