//! `ship tokens ls`: which tokens there are.

use jiff::Timestamp;
use ship_api::{Client, TokenList};

use crate::error::CommandError;
use crate::output::{Output, Styles, Table, plain, short_time};

pub(super) async fn run(client: &Client, output: &Output) -> Result<(), CommandError> {
    let list = client.tokens().await?;
    output.data(&list, |styles| render(&list, styles))
}

fn render(list: &TokenList, styles: Styles) -> String {
    let mut table = Table::new(["ID", "NAME", "ROLE", "PROJECT", "CREATED (UTC)", "EXPIRES (UTC)", "LAST USED (UTC)"]);
    let time = |at: Option<Timestamp>, none: &str| at.map_or_else(|| none.to_owned(), short_time);
    for token in &list.tokens {
        table.row([
            token.id.to_string(),
            plain(token.name.as_str()),
            token.role.to_string(),
            token.project.as_ref().map_or_else(|| "all".to_owned(), ToString::to_string),
            short_time(token.created_at),
            time(token.expires_at, "never"),
            time(token.last_used_at, "never"),
        ]);
    }
    table.render(styles)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The owner's token, and one of a pipeline that has not run yet.
    #[test]
    fn table() {
        let list: TokenList = serde_json::from_str(
            r#"{"tokens":[
                {"id":"0123456789","name":"owner","role":"admin","project":null,"created_at":"2026-04-14T12:03:04Z","created_by":null,"expires_at":null,"last_used_at":"2026-04-15T00:00:00Z"},
                {"id":"k3v9q2m8x1","name":"deployer of blue","role":"deployer","project":"blue","created_at":"2026-04-14T12:03:04Z","created_by":"0123456789","expires_at":"2026-07-13T12:03:04Z","last_used_at":null}]}"#,
        )
        .unwrap();
        insta::assert_snapshot!(render(&list, Output::for_tests().data_styles()), @r"
        ID          NAME              ROLE      PROJECT  CREATED (UTC)        EXPIRES (UTC)        LAST USED (UTC)
        0123456789  owner             admin     all      2026-04-14 12:03:04  never                2026-04-15 00:00:00
        k3v9q2m8x1  deployer of blue  deployer  blue     2026-04-14 12:03:04  2026-07-13 12:03:04  never
        ");
    }
}
