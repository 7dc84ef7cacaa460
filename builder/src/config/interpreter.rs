//! Which interpreter runs functions in TypeScript and JavaScript: `runtime` of `[functions."glob"]`, and what `vercel.json` has for it.

use ship_core::FunctionRuntime;
use toml::Spanned;

use super::diagnostic::{ConfigError, ConfigText};

/// The words of `ship.toml`.
const KNOWN: [&str; 3] = ["bun", "deno", "node"];

/// The builder of Vercel's community that runs functions with Deno.
pub(super) const VERCEL_DENO: &str = "vercel-deno";

/// What `runtime` of `ship.toml` names.
pub(super) fn named(text: ConfigText<'_>, written: &Spanned<String>) -> Result<FunctionRuntime, ConfigError> {
    let word = written.get_ref().as_str();
    match word.parse() {
        Ok(runtime) if KNOWN.contains(&word) && FunctionRuntime::is_javascript(runtime) => Ok(runtime),
        _ => match word.split_once('@') {
            Some((name, version)) if KNOWN.contains(&name) => {
                let message = format!(
                    "`runtime` takes no version, found `{version}`: write {name:?}, and what the host has runs the function"
                );
                Err(text.error(written.span(), message))
            }
            _ => Err(text.unknown_value(written.span(), "runtime", word, &KNOWN)),
        },
    }
}

/// What `bunVersion` of `vercel.json` asks for: Bun, in the one version that there is.
pub(super) fn bun(text: ConfigText<'_>, version: &Spanned<String>) -> Result<FunctionRuntime, ConfigError> {
    if matches!(version.get_ref().as_str(), "1" | "1.x") {
        return Ok(FunctionRuntime::Bun);
    }
    let message = format!("`bunVersion` is \"1.x\", found {:?}: ship runs functions with Bun 1", version.get_ref());
    Err(text.error(version.span(), message).coded("invalid_bun_version"))
}
