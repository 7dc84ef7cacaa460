//! Who the host is to the authority: made once, and kept.

use instant_acme::{Account, AccountCredentials, NewAccount};
use jiff::Timestamp;
use ship_store::Store;
use tokio::sync::OnceCell;

use super::AcmeOptions;
use super::order::AcmeError;
use crate::blocking::blocking;

/// The host's account, fetched or made when it is first needed.
pub(super) struct AccountDesk {
    options: AcmeOptions,
    store: Store,
    account: OnceCell<Account>,
}

impl AccountDesk {
    pub(super) fn new(options: AcmeOptions, store: Store) -> Self {
        Self { options, store, account: OnceCell::new() }
    }

    pub(super) async fn account(&self) -> Result<Account, AcmeError> {
        self.account.get_or_try_init(|| self.find_or_make()).await.cloned()
    }

    async fn find_or_make(&self) -> Result<Account, AcmeError> {
        let builder = match &self.options.root {
            Some(root) => Account::builder_with_root(root)?,
            None => Account::builder()?,
        };
        let (store, directory) = (self.store.clone(), self.options.directory.clone());
        let known = blocking(move || store.certificates().account(&directory)).await?;
        if let Some(known) = known {
            let credentials: AccountCredentials = serde_json::from_str(&known).map_err(AcmeError::Account)?;
            return Ok(builder.from_credentials(credentials).await?);
        }
        let contact = format!("mailto:{}", self.options.email);
        let account = NewAccount { contact: &[&contact], terms_of_service_agreed: true, only_return_existing: false };
        let (account, credentials) = builder.create(&account, self.options.directory.clone(), None).await?;
        let credentials = serde_json::to_string(&credentials).map_err(AcmeError::Account)?;
        let (store, directory) = (self.store.clone(), self.options.directory.clone());
        blocking(move || store.certificates().keep_account(&directory, &credentials, Timestamp::now())).await?;
        Ok(account)
    }
}
