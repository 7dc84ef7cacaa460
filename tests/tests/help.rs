//! Help on a terminal of 40 columns: nothing is wider, words stay whole, and what belongs together stands together.

use ship_tests::TestEnv;

/// What a terminal of 40 columns shows, without its colours and what is said of the terminal itself.
fn shown(words: &[&str]) -> Vec<String> {
    let environment = TestEnv::new();
    let ended = environment.ship(words).start_on_terminal(40).finish();
    // Each sequence for a colour ends with the first `m` behind its beginning.
    let mut parts = ended.stdout().split('\u{1b}');
    let first = parts.next().unwrap_or_default().to_owned();
    let plain = parts.fold(first, |plain, part| plain + part.split_once('m').map_or(part, |(_, text)| text));
    let lines = plain.lines().map(|line| line.trim_end().to_owned());
    lines.take_while(|line| !line.starts_with("speed ")).collect()
}

/// Every help and topic fits; only what is typed may be longer, because it is one word.
#[test]
fn nothing_is_wider() {
    for words in [
        &["--help"][..],
        &["help", "deploy"],
        &["inspect", "--help"],
        &["help", "environment"],
        &["help", "exit-codes"],
        &["help", "error-codes"],
    ] {
        let shown = shown(words);
        let is_wide = |line: &&String| line.chars().count() > 40 && line.trim().contains(' ');
        let wide: Vec<&String> = shown.iter().filter(is_wide).collect();
        assert!(shown.len() > 5 && wide.is_empty(), "{words:?}: {wide:#?}");
    }
}

/// What stands in columns goes on in its own column, and what an example is for stands below it.
#[test]
fn columns() {
    let overview = shown(&["--help"]).join("\n");
    let deploy = "        deploy   Build a project, send\n                 what the host lacks,\n                 and publish it\n";
    assert!(overview.contains(deploy), "{overview}");
    let names = "Project alias, domains, env, protect,\n        link, schema\n";
    assert!(overview.contains(names), "{overview}");
    let full = shown(&["help", "deploy"]).join("\n");
    let examples = "Examples:\n  ship deploy\n      the current folder\n  ship deploy shop --prod\n      another one, as production";
    assert!(full.contains(examples), "{full}");
}
