//! Who may do what on a host: roles, the scope of a token, and the actions that the control API knows.
//!
//! What is decided about them is decided in the host, in one place; here are only the words, and what follows from the words alone.

mod action;
mod lifetime;
mod login_code;
mod role;
mod scope;
mod token_id;
mod token_name;

pub use self::action::{Action, Effect};
pub use self::lifetime::{Lifetime, ParseLifetimeError};
pub use self::login_code::{LoginCode, ParseLoginCodeError};
pub use self::role::{Role, UnknownRole};
pub use self::scope::{ProjectScope, Scope};
pub use self::token_id::{ParseTokenIdError, TokenId};
pub use self::token_name::{ParseTokenNameError, TokenName};
