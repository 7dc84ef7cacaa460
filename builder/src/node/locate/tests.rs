//! Places: which files a module names beside itself, and how it finds them once it is bundled.

use super::*;

fn located(text: &str) -> (String, Vec<String>, bool) {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path().canonicalize().unwrap();
    for file in ["api/data.json", "api/views/a.html", "shared.txt"] {
        std::fs::create_dir_all(base.join(file).parent().unwrap()).unwrap();
        std::fs::write(base.join(file), "").unwrap();
    }
    let (file, runtime) = (base.join("api/a.ts"), FunctionRuntime::Bun);
    let module = Module { file: &file, base: &base, place: "api/a.ts", runtime, is_entry: true };
    let found = locate(&module, SourceType::ts(), text);
    let mut edited = String::new();
    let mut end = 0;
    for (span, with) in &found.edits {
        edited.push_str(&text[end..span.start as usize]);
        edited.push_str(with);
        end = span.end as usize;
    }
    edited.push_str(&text[end..]);
    let files = found.files.iter().map(|file| file.strip_prefix(&base).unwrap().display().to_string()).collect();
    (edited, files, found.requires_computed)
}

/// A module is told its own place, in each of the ways of asking.
#[test]
fn places() {
    let edited = |text: &str| located(text).0;
    assert_eq!(edited("f(__dirname)"), "f((globalThis.__ship.folder+\"/api\"))");
    assert_eq!(edited("f({ __filename })"), "f({ __filename: (globalThis.__ship.folder+\"/api/a.ts\") })");
    assert_eq!(edited("f(import.meta.url)"), "f((globalThis.__ship.url+\"api/a.ts\"))");
    assert_eq!(edited("f(import.meta.dirname)"), "f((globalThis.__ship.folder+\"/api\"))");
    assert_eq!(edited("f(import.meta.filename)"), "f((globalThis.__ship.folder+\"/api/a.ts\"))");
    assert_eq!(edited("f(import.meta.dir)"), "f((globalThis.__ship.folder+\"/api\"))");
    assert_eq!(edited("f(import.meta.file)"), "f(\"a.ts\")");
    assert_eq!(edited("if (import.meta.main) f()"), "if (true) f()");
    let own = "const __dirname = dirname(fileURLToPath(import.meta.url)); f(__dirname, 'import.meta.url')";
    assert_eq!(edited(own), own.replacen("import.meta.url", "(globalThis.__ship.url+\"api/a.ts\")", 1));
    for untouched in ["f(a.__dirname)", "f({ __dirname: 1 })", "f(import.meta.env)", "f('__dirname')"] {
        assert_eq!(edited(untouched), untouched);
    }
}

/// Files that a module names by their place are found, as far as they are there and below the project.
#[test]
fn files() {
    let files = |text: &str| located(text).1;
    assert_eq!(files("read(path.join(__dirname, 'data.json'))"), ["api/data.json"]);
    assert_eq!(files("read(join(import.meta.dirname, '..', 'shared.txt'))"), ["shared.txt"]);
    assert_eq!(files("read(path.join(process.cwd(), 'api', name))"), ["api"]);
    assert_eq!(files("read(path.resolve(__dirname, './views', name))"), ["api/views"]);
    assert_eq!(files("read(new URL('./data.json', import.meta.url))"), ["api/data.json"]);
    assert_eq!(files("read(__dirname + '/data.json')"), ["api/data.json"]);
    assert_eq!(files("read(path.join(__dirname, 'views/{{page}}/*.html'))"), ["api/views"]);
    assert_eq!(files("read(`${__dirname}/data.json`)"), ["api/data.json"]);
    let none: [&str; 0] = [];
    for text in [
        "read(path.join(__dirname, 'absent.json'))",
        "read(path.join(__dirname, '..'))",
        "read(path.join(process.cwd(), '{{name}}.json'))",
        "read(path.join(__dirname, name))",
        "read(path.join(__dirname, '../../..', 'etc'))",
        "new URL('https://example.com', import.meta.url)",
        "list.join(', ')",
    ] {
        assert_eq!(files(text), none, "{text}");
    }
}

/// What Express requires for its pages comes along, and the pages.
#[test]
fn pages() {
    let found = |text: &str| {
        let folder = tempfile::tempdir().unwrap();
        let base = folder.path().canonicalize().unwrap();
        for name in ["views", "pages"] {
            std::fs::create_dir(base.join(name)).unwrap();
        }
        let file = base.join("api/a.js");
        let (place, runtime) = ("api/a.js", FunctionRuntime::Node);
        let module = Module { file: &file, base: &base, place, runtime, is_entry: true };
        let found = locate(&module, SourceType::mjs(), text);
        let name = |file: &PathBuf| file.strip_prefix(&base).unwrap().display().to_string();
        (found.packages.clone(), found.files.iter().map(name).collect::<Vec<_>>())
    };
    let text = "app.set('views', './pages').set('view engine', 'ejs')";
    assert!(may_ask(Path::new("api/a.js"), text));
    assert_eq!(found(text), (vec!["ejs".to_owned()], vec!["views".to_owned(), "pages".to_owned()]));
    assert_eq!(found("app.set('trust proxy', 'loopback'); app.set('view engine', name)"), (vec![], vec![]));
}

/// A module of ECMAScript that makes a `require` for itself is read as one of `CommonJS` is.
#[test]
fn own_require() {
    let edited = |text: &str| located(text).0;
    assert_eq!(edited("const require = createRequire(import.meta.url);\nrequire('./a')"), ";\nrequire('./a')");
    assert_eq!(edited("var require = module.createRequire(import.meta.url)"), ";");
    for untouched in ["const load = createRequire(path)", "const require = createRequire(path)", "const require = 1"] {
        assert_eq!(edited(untouched), untouched);
    }
}

/// A path that is made when the program runs cannot be followed; a variable may be anything.
#[test]
fn computed() {
    let may_ask = |text: &str| may_ask(Path::new("api/a.js"), text);
    assert!(may_ask("require(`./locale/${name}`)") && !may_ask("require('./locale')"));
    assert!(located("require(`./locale/${name}`)").2);
    assert!(located("require('./locale/' + name)").2);
    assert!(located("require(path.join(__dirname, name))").2);
    assert!(!located("require(name)").2 && !located("require('./a')").2 && !located("obj.require('./' + a)").2);
}

/// What Node calls a module of `CommonJS` with is there; the arguments of functions are their own.
#[test]
fn arguments() {
    let edited = |text: &str| located(text).0;
    let those = "(function () { return arguments; })(exports, require, module, \
                 (globalThis.__ship.folder+\"/api/a.ts\"), (globalThis.__ship.folder+\"/api\"))";
    assert_eq!(edited("f(arguments.length)"), format!("f({those}.length)"));
    assert_eq!(edited("f(() => arguments[1])"), format!("f(() => {those}[1])"));
    for untouched in [
        "function f() { return () => arguments.length }",
        "f({ get a() { return arguments } }, class { b() { return arguments } })",
        "export const a = () => arguments",
        "var arguments = []; f(arguments)",
        "f(a.arguments, 'arguments')",
    ] {
        assert_eq!(edited(untouched), untouched);
    }
    let may_ask = |module: &str| may_ask(Path::new(module), "f(arguments)");
    assert!(may_ask("/site/api/a.js") && !may_ask("/site/node_modules/f/a.js"));
}
