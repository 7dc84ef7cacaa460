//! Logins that wait for approval: a machine shows a code, an admin approves the code, and the machine gets a token.
//!
//! The machine proves itself with a secret that nobody else has seen, so that whoever reads the code over its owner's shoulder gets
//! nothing. Logins are in memory alone: a host that starts anew knows none, and the machine asks again.

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use ship_core::{LoginCode, Scope, TokenId, TokenName};
use tokio::sync::watch;

use crate::error::HostError;
use crate::token::{PlainToken, TokenHash};

/// How long a login waits: long enough to send a colleague the code, and short enough that nobody approves a forgotten one.
pub(crate) const PATIENCE: Duration = Duration::from_secs(600);

/// How many logins wait at once. How many an address may begin is limited apart.
const WAITING: usize = 1_000;

/// What an admin grants a login.
#[derive(Clone, Debug)]
pub(crate) struct Grant {
    pub(crate) scope: Scope,
    pub(crate) expires_at: Timestamp,
    pub(crate) approved_by: TokenId,
}

/// A login that waits.
struct Login {
    code: LoginCode,
    secret: TokenHash,
    asked: Asked,
    until: Instant,
    grant: watch::Sender<Option<Grant>>,
}

/// Who wants to log in.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// What the machine calls itself.
    pub(crate) name: TokenName,
    /// Its address.
    pub(crate) peer: IpAddr,
}

/// A login that has begun.
pub(crate) struct Begun {
    pub(crate) code: LoginCode,
    pub(crate) secret: PlainToken,
}

/// The logins that wait.
#[derive(Default)]
pub(crate) struct Logins {
    waiting: Mutex<Vec<Login>>,
}

impl Logins {
    /// Begins a login. `None` if too many wait.
    pub(crate) fn begin(&self, asked: Asked) -> Result<Option<Begun>, HostError> {
        let secret = PlainToken::generate()?;
        let mut waiting = self.lock();
        if waiting.len() >= WAITING {
            return Ok(None);
        }
        let code = loop {
            let code = draw_code()?;
            if waiting.iter().all(|login| login.code != code) {
                break code;
            }
        };
        let (grant, until) = (watch::Sender::new(None), Instant::now() + PATIENCE);
        waiting.push(Login { code, secret: secret.hash(), asked, until, grant });
        Ok(Some(Begun { code, secret }))
    }

    /// Who waits with a code.
    pub(crate) fn asked(&self, code: LoginCode) -> Option<Asked> {
        self.lock().iter().find(|login| login.code == code).map(|login| login.asked.clone())
    }

    /// Approves a code, once. Says whose it was, `None` if nobody waits with it.
    pub(crate) fn approve(&self, code: LoginCode, grant: Grant) -> Option<Asked> {
        let waiting = self.lock();
        let login = waiting.iter().find(|login| login.code == code && login.grant.borrow().is_none())?;
        login.grant.send_replace(Some(grant));
        Some(login.asked.clone())
    }

    /// What hears of the approval of a login, `None` if there is no such login.
    pub(crate) fn follow(&self, secret: TokenHash) -> Option<watch::Receiver<Option<Grant>>> {
        self.lock().iter().find(|login| login.secret == secret).map(|login| login.grant.subscribe())
    }

    /// Ends an approved login, so that it gives one token and no other.
    pub(crate) fn take(&self, secret: TokenHash) -> Option<(Asked, Grant)> {
        let mut waiting = self.lock();
        let place = waiting.iter().position(|login| login.secret == secret && login.grant.borrow().is_some())?;
        let login = waiting.swap_remove(place);
        let grant = login.grant.borrow().clone()?;
        Some((login.asked, grant))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Login>> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        waiting.retain(|login| login.until > now);
        waiting
    }
}

fn draw_code() -> Result<LoginCode, HostError> {
    let mut drawn = [0; 4 * LoginCode::LETTERS];
    getrandom::fill(&mut drawn).map_err(|reason| HostError::Random { reason })?;
    let (numbers, _) = drawn.as_chunks::<4>();
    Ok(LoginCode::of_numbers(std::array::from_fn(|place| u32::from_le_bytes(numbers[place]))))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use ship_core::{ProjectScope, Role};

    use super::*;

    fn asked() -> Asked {
        Asked { name: "laptop".parse().unwrap(), peer: Ipv4Addr::LOCALHOST.into() }
    }

    fn grant() -> Grant {
        Grant {
            scope: Scope { role: Role::Viewer, projects: ProjectScope::All },
            expires_at: Timestamp::UNIX_EPOCH,
            approved_by: "0123456789".parse().unwrap(),
        }
    }

    /// A code is approved once and gives one token, to whoever has the secret.
    #[test]
    fn single_use() {
        let logins = Logins::default();
        let Begun { code, secret } = logins.begin(asked()).unwrap().unwrap();
        let other = PlainToken::generate().unwrap();
        assert!(logins.follow(other.hash()).is_none());
        assert!(logins.take(secret.hash()).is_none(), "nobody has approved it");
        let follower = logins.follow(secret.hash()).unwrap();
        assert_eq!(logins.approve(code, grant()).unwrap().name.as_str(), "laptop");
        assert!(logins.approve(code, grant()).is_none());
        assert!(follower.has_changed().unwrap());
        assert!(logins.take(other.hash()).is_none());
        assert!(logins.take(secret.hash()).is_some());
        assert!(logins.take(secret.hash()).is_none());
        assert!(logins.asked(code).is_none());
    }

    /// Only so many wait at once.
    #[test]
    fn bounded() {
        let logins = Logins::default();
        for _ in 0..WAITING {
            assert!(logins.begin(asked()).unwrap().is_some());
        }
        assert!(logins.begin(asked()).unwrap().is_none());
    }
}
