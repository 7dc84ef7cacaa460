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
