//! Bundles: what goes into one, what several share, and what is said when one cannot be made.

use super::*;
use crate::testing::TestProject;

fn bundled(project: &TestProject, entries: &[(&str, &str)]) -> Result<Bundled, BundleError> {
    let root = project.root();
    let entries = entries.iter().map(|(name, file)| ((*name).to_owned(), root.join(file))).collect();
    let (made, forced, runtime) = (BTreeMap::new(), BTreeSet::new(), FunctionRuntime::Node);
    bundle(&BundleRequest { project: &root, base: &root, entries, made, forced, runtime })
}

fn text(function: &BundledFunction, module: &str) -> String {
    String::from_utf8(function.modules[module].to_vec()).unwrap()
}

/// A package that the bundler refuses and Node does not stays outside; what is wrong in a function's own files is said.
#[test]
fn a_refused_package() {
    let project = TestProject::new([
        ("api/a.js", "const waits = require('waits');\nmodule.exports = (req, res) => res.end(waits.word);"),
        ("node_modules/waits/package.json", "{\"name\":\"waits\",\"version\":\"1.0.0\",\"main\":\"index.js\"}"),
        ("node_modules/waits/index.js", "if (global.never) require('./late.mjs');\nexports.word = 'here';"),
        ("node_modules/waits/late.mjs", "export default await 1;"),
    ]);
    let found = bundled(&project, &[("api~a", "api/a.js")]).unwrap();
    let outside: Vec<&str> = found.functions["api~a"].outside.iter().map(|package| package.name.as_str()).collect();
    assert_eq!((outside, found.forced.into_iter().collect::<Vec<_>>()), (vec!["waits"], vec!["waits".to_owned()]));

    project.write("api/a.js", "require('../lib/late.mjs');");
    project.write("lib/late.mjs", "export default await 1;");
    let refused = bundled(&project, &[("api~a", "api/a.js")]).map(|_| ()).unwrap_err().to_string();
    assert!(refused.contains("api/a.js:1:1") && refused.contains("lib/late.mjs"), "{refused}");
}

/// Two functions that share a module: it is bundled once, and each has it; neither has what only the other needs.
#[test]
fn a_shared_module() {
    let project = TestProject::new([
        (
            "api/a.ts",
            "import { day } from '../lib/day';\nexport const GET = (r: Request): Response => new Response(day(r));",
        ),
        ("api/b.ts", "import { day } from '../lib/day';\nexport default { fetch: () => new Response(day(null)) };"),
        ("api/c.js", "module.exports = (req, res) => res.end('c');"),
        (
            "lib/day.ts",
            "export const day = (what: unknown): string => `day of ${what}`;\nexport const unused = 'never seen';",
        ),
    ]);
    let bundled = bundled(&project, &[("api~a", "api/a.ts"), ("api~b", "api/b.ts"), ("api~c", "api/c.js")]).unwrap();
    let names = |name: &str| bundled.functions[name].modules.keys().map(String::as_str).collect::<Vec<_>>();
    let [a, b] = [names("api~a"), names("api~b")];
    assert_eq!([a.len(), b.len()], [4, 4], "{a:?} {b:?}");
    assert_eq!(a[2..], b[2..]);
    assert_eq!(names("api~c"), ["_ship/api~c.mjs", "_ship/api~c.mjs.map"]);
    let shared = text(&bundled.functions["api~a"], a[2]);
    assert!(shared.contains("day of") && !shared.contains("never seen"), "{shared}");
}

/// A module that is imported later, in whatever way others import it: each function has all files that its modules name.
#[test]
fn imported_later() {
    let project = TestProject::new([
        ("api/common.js", "module.exports = (req, res) => res.end(require('../lib/old.cjs').word);"),
        ("api/first.ts", "import { day } from '../lib/day';\nexport const GET = () => new Response(day());"),
        ("api/later.ts", "export const GET = async () => new Response((await import('../lib/day')).day());"),
        ("api/top.ts", "const { week } = await import('../lib/week');\nexport const GET = () => new Response(week());"),
        (
            "api/both.ts",
            "import { week } from '../lib/week';\nimport old from '../lib/old.cjs';\nexport const GET = () => new Response(week() + old.word);",
        ),
        ("lib/day.ts", "export const day = () => 'day';"),
        ("lib/week.ts", "import { day } from './day';\nexport const week = () => day().repeat(7);"),
        ("lib/old.cjs", "exports.word = 'old';"),
    ]);
    let files = ["common.js", "first.ts", "later.ts", "top.ts", "both.ts"].map(|file| {
        let name = file.split('.').next().unwrap();
        (format!("api~{name}"), format!("api/{file}"))
    });
    let entries: Vec<(&str, &str)> = files.iter().map(|(name, file)| (name.as_str(), file.as_str())).collect();
    let bundled = bundled(&project, &entries).unwrap();
    for (name, _) in entries {
        let function = &bundled.functions[name];
        let is_module = |file: &&String| std::path::Path::new(file).extension().is_some_and(|ending| ending == "mjs");
        let modules = || function.modules.keys().filter(is_module);
        for module in modules() {
            let code = text(function, module);
            for file in mentioned(&code) {
                assert!(modules().any(|other| *other == format!("_ship/{file}")), "{name}: {module} imports {file}");
            }
        }
    }
    let count = |name: &str| bundled.functions[name].modules.len();
    assert!(count("api~first") <= 4, "{}", count("api~first"));
}
