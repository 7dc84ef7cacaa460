//! `ship tokens trust`: jobs of continuous integration that get a token without a secret.

use clap::Subcommand;
use ship_api::{AddTrustRequest, Client, TrustList, TrustView};
use ship_core::{BranchName, Issuer, Lifetime, RepositoryName, Role, SubjectPattern, TrustId};

use crate::error::CommandError;
use crate::output::{Output, Styles, Table, plain, short_time};
use crate::settings::Settings;

#[derive(Clone, Debug, Subcommand)]
pub(super) enum TrustCommand {
    /// Trust the jobs of one repository; with --project, which has to be named, in that project alone
    Add(AddArgs),
    /// List whose jobs are trusted
    Ls,
    /// Trust jobs no longer: from then on their tokens open nothing
    Rm {
        /// The id, as `ship tokens trust ls` shows it
        #[arg(value_name = "ID")]
        id: TrustId,
    },
}

/// Trust the jobs of one repository; with --project, which has to be named, in that project alone
#[derive(Clone, Debug, clap::Args)]
pub(super) struct AddArgs {
    /// Who vouches for the jobs: github, gitlab, gitlab=URL for one of your own, or another address
    #[arg(long, value_name = "ISSUER")]
    issuer: Issuer,
    /// The repository that they belong to
    #[arg(long, value_name = "OWNER/NAME", required_unless_present = "subject")]
    repository: Option<RepositoryName>,
    /// The branch whose own jobs they are, pull requests to it not among them [default: any]
    #[arg(long, value_name = "NAME", requires = "repository")]
    branch: Option<BranchName>,
    /// The environment that they deploy to [default: any, or none]
    #[arg(long, value_name = "NAME", requires = "repository")]
    environment: Option<String>,
    /// What their subject is, or begins with where this ends in `*`
    #[arg(long, value_name = "PATTERN")]
    subject: Option<SubjectPattern>,
    /// How much they may: a `viewer` sees, a `deployer` also publishes, an `admin` does all
    #[arg(long, value_name = "ROLE")]
    role: Role,
    /// How long a token of theirs lives: at most 1h
    #[arg(long, value_name = "TIME", default_value_t = Lifetime::OF_JOB)]
    lifetime: Lifetime,
}

pub(super) async fn run(
    command: TrustCommand,
    client: &Client,
    settings: &Settings,
    output: &Output,
) -> Result<(), CommandError> {
    match command {
        TrustCommand::Add(arguments) => add(arguments, client, settings, output).await,
        TrustCommand::Ls => {
            let list = client.trusts().await?;
            output.data(&list, |styles| render(&list, styles))
        }
        TrustCommand::Rm { id } => {
            let removed = client.remove_trust(&id).await?;
            output.status(format_args!(
                "Removed the trust {id}: its {} tokens open nothing any more",
                removed.tokens.len()
            ));
            output.data(&removed, |_| id.to_string())
        }
    }
}

async fn add(arguments: AddArgs, client: &Client, settings: &Settings, output: &Output) -> Result<(), CommandError> {
    let Some(project) = settings.project.clone() else {
        return Err(CommandError::usage("a trust is for one project").hint("name it with `--project NAME`"));
    };
    let AddArgs { issuer, repository, branch, environment, subject, role, lifetime } = arguments;
    let lifetime = Some(lifetime);
    let request = AddTrustRequest { issuer, subject, repository, branch, environment, role, project, lifetime };
    let trust = client.add_trust(&request).await?;
    output.status(format_args!(
        "Trusted as {} of `{}`: {} at {}",
        trust.role,
        trust.project,
        jobs(&trust),
        trust.issuer
    ));
    output.status(format_args!("Their identities have to be for the audience {}", trust.audience));
    output.data(&trust, |_| trust.id.to_string())
}

/// Which jobs: `acme/blue, branch main`.
fn jobs(trust: &TrustView) -> String {
    let named = |what: &str, value: Option<String>| value.map(|value| format!("{what}{value}"));
    let words = [
        named("", trust.repository.as_ref().map(ToString::to_string)),
        named("branch ", trust.branch.as_ref().map(ToString::to_string)),
        named("environment ", trust.environment.clone()),
        named("subject ", trust.subject.as_ref().map(ToString::to_string)),
    ];
    plain(&words.into_iter().flatten().collect::<Vec<_>>().join(", "))
}

fn render(list: &TrustList, styles: Styles) -> String {
    if list.trusts.is_empty() {
        return String::new();
    }
    let mut table = Table::new(["ID", "ISSUER", "JOBS", "ROLE", "PROJECT", "LIFETIME", "EXPIRES (UTC)"]);
    for trust in &list.trusts {
        table.row([
            trust.id.to_string(),
            trust.issuer.to_string(),
            jobs(trust),
            trust.role.to_string(),
            trust.project.to_string(),
            trust.lifetime.to_string(),
            trust.expires_at.map_or_else(|| "never".to_owned(), short_time),
        ]);
    }
    table.render(styles)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A branch of a repository, and a subject alone.
    #[test]
    fn table() {
        let list: TrustList = serde_json::from_str(
            r#"{"trusts":[
                {"id":"k3v9q2m8x1","issuer":"github","audience":"ship://example.com","subject":null,"repository":"acme/blue","branch":"main","environment":"production","role":"deployer","project":"blue","lifetime":"15m","created_at":"2026-04-14T12:03:04Z","created_by":"0123456789","expires_at":null},
                {"id":"a3v9q2m8x1","issuer":"https://ci.example","audience":"ship://example.com","subject":"the job","repository":null,"branch":null,"environment":null,"role":"viewer","project":"red","lifetime":"1h","created_at":"2026-04-14T12:03:04Z","created_by":"0123456789","expires_at":"2026-07-14T12:03:04Z"}]}"#,
        )
        .unwrap();
        insta::assert_snapshot!(render(&list, Output::for_tests().data_styles()), @r"
        ID          ISSUER              JOBS                                            ROLE      PROJECT  LIFETIME  EXPIRES (UTC)
        k3v9q2m8x1  github              acme/blue, branch main, environment production  deployer  blue     15m       never
        a3v9q2m8x1  https://ci.example  subject the job                                 viewer    red      1h        2026-07-14 12:03:04
        ");
    }
}
