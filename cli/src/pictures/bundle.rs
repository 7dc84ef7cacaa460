//! What a function is made of, as a page: a treemap of packages and their files, and the same as a table.

use serde::Serialize;
use ship_api::{CompositionView, OthersView, PackageView};

use super::treemap::{Area, squarified};
use super::{cut, templates};
use crate::error::CommandError;
use crate::output::size;

/// How many packages have a place of their own in the picture, and how many files of each.
const TILES: usize = 60;
const FILE_TILES: usize = 24;

/// The shape of the picture, in units of its own: 16 to 10.
const MAP: Area = Area { x: 0.0, y: 0.0, width: 160.0, height: 100.0 };

/// From which size on a package has room for its name, and for its files, in units of the picture.
const ROOM_FOR_NAME: (f64, f64) = (6.5, 4.5);
const ROOM_FOR_FILES: (f64, f64) = (14.0, 12.0);

/// From which size on a file has room for its name.
const ROOM_FOR_FILE_NAME: (f64, f64) = (9.0, 4.0);

#[derive(Serialize)]
struct Page<'c> {
    title: &'c str,
    composition: &'c CompositionView,
    tiles: Vec<Tile>,
    rows: Vec<RowOfPackage<'c>>,
}

/// A package in the picture.
#[derive(Serialize)]
struct Tile {
    place: String,
    kind: String,
    name: String,
    size: String,
    share: String,
    /// The row of the table that says more.
    row: usize,
    has_name: bool,
    files: Vec<FileTile>,
}

#[derive(Serialize)]
struct FileTile {
    place: String,
    path: String,
    /// What there is room for.
    shown: String,
}

/// A package in the table.
#[derive(Serialize)]
struct RowOfPackage<'c> {
    package: &'c PackageView,
    share: String,
    all_files: u64,
}

/// The page of a function of `title`.
pub(crate) fn page(title: &str, composition: &CompositionView) -> Result<String, CommandError> {
    let rows = composition.packages.iter().map(|package| RowOfPackage {
        package,
        share: share(package.bytes, composition.bytes),
        all_files: package.files.len() as u64 + package.others.count,
    });
    templates::render("bundle.html", &Page { title, composition, tiles: tiles(composition), rows: rows.collect() })
}

fn tiles(composition: &CompositionView) -> Vec<Tile> {
    let (shown, folded) = composition.packages.split_at(composition.packages.len().min(TILES));
    let rest = folded.iter().map(|package| package.bytes).sum::<u64>() + composition.others.bytes;
    let mut sizes: Vec<u64> = shown.iter().map(|package| package.bytes).collect();
    // What is folded may be more than the smallest that are shown; it stands behind them all the same.
    sizes.extend((rest > 0).then_some(rest));
    let mut tiles: Vec<Tile> = shown
        .iter()
        .zip(squarified(&sizes, MAP))
        .enumerate()
        .map(|(row, (package, area))| tile(row, package, area, composition.bytes))
        .collect();
    if let Some(area) = squarified(&sizes, MAP).get(shown.len()) {
        let count = folded.len() as u64 + composition.others.count;
        let others = PackageView {
            name: format!("{count} more"),
            kind: "data".to_owned(),
            bytes: rest,
            files: Vec::new(),
            others: OthersView::default(),
        };
        tiles.push(tile(
            shown.len().min(composition.packages.len().saturating_sub(1)),
            &others,
            *area,
            composition.bytes,
        ));
    }
    tiles
}

fn tile(row: usize, package: &PackageView, area: Area, all: u64) -> Tile {
    // A single file would be a frame in a frame.
    let is_several = package.files.len() as u64 + package.others.count > 1;
    let files = if is_several && fits(area, ROOM_FOR_FILES) { file_tiles(package, area) } else { Vec::new() };
    Tile {
        place: place(area, MAP),
        kind: package.kind.clone(),
        name: package.name.clone(),
        size: size(package.bytes),
        share: share(package.bytes, all),
        row: row + 1,
        has_name: fits(area, ROOM_FOR_NAME),
        files,
    }
}

/// The files of a package, inside of its own rectangle.
fn file_tiles(package: &PackageView, area: Area) -> Vec<FileTile> {
    let (shown, folded) = package.files.split_at(package.files.len().min(FILE_TILES));
    let rest = folded.iter().map(|file| file.bytes).sum::<u64>() + package.others.bytes;
    let count = folded.len() as u64 + package.others.count;
    let named = shown.iter().map(|file| (file.path.clone(), file.bytes));
    let parts: Vec<(String, u64)> = named.chain((rest > 0).then(|| (format!("{count} more"), rest))).collect();
    let inner = Area { x: 0.0, y: 0.0, ..area };
    let sizes: Vec<u64> = parts.iter().map(|(_, bytes)| *bytes).collect();
    let placed = parts.into_iter().zip(squarified(&sizes, inner));
    placed.map(|((path, bytes), part)| file_tile(&path, bytes, part, inner)).collect()
}

fn file_tile(path: &str, bytes: u64, part: Area, inner: Area) -> FileTile {
    let name = path.rsplit('/').next().unwrap_or(path);
    let shown = if fits(part, ROOM_FOR_FILE_NAME) { cut(name, 40) } else { String::new() };
    FileTile { place: place(part, inner), shown, path: format!("{path}: {}", size(bytes)) }
}

fn fits(area: Area, (width, height): (f64, f64)) -> bool {
    area.width >= width && area.height >= height
}

/// Where a part stands in what it is a part of, for a style sheet.
fn place(part: Area, whole: Area) -> String {
    let percent = |value: f64, of: f64| if of > 0.0 { value / of * 100.0 } else { 0.0 };
    format!(
        "left:{:.3}%;top:{:.3}%;width:{:.3}%;height:{:.3}%",
        percent(part.x, whole.width),
        percent(part.y, whole.height),
        percent(part.width, whole.width),
        percent(part.height, whole.height)
    )
}

#[expect(clippy::cast_precision_loss, reason = "one digit behind the point is shown")]
fn share(bytes: u64, all: u64) -> String {
    format!("{:.1} %", bytes as f64 * 100.0 / (all.max(1)) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn composition(names: &[&str]) -> CompositionView {
        let package = |name: &&str| {
            serde_json::json!({ "name": name, "kind": "dependency", "bytes": 3_000,
                "files": [{ "path": format!("lib/{name}.js"), "bytes": 2_000 }, { "path": "a.js", "bytes": 1_000 }] })
        };
        let packages: Vec<_> = names.iter().map(package).collect();
        let bytes = 3_000 * names.len();
        let view = serde_json::json!({ "function": "api/date", "runtime": "node", "packed_bytes": 1, "bytes": bytes, "packages": packages });
        serde_json::from_value(view).unwrap()
    }

    /// What packages are called is text, whatever it is.
    #[test]
    fn escaped() {
        let page =
            page("shop <1>", &composition(&["<script>alert(1)</script>", "\" onclick=\"x\u{202e}\u{0}"])).unwrap();
        assert!(!page.contains("<script") && !page.contains("\" onclick=") && !page.contains('\u{202e}'), "{page}");
        assert!(page.contains("&lt;script&gt;alert(1)") && page.contains("shop &lt;1&gt;"), "{page}");
    }

    /// However many packages there are, the picture is of a size, and says what it leaves out.
    #[test]
    fn folded() {
        let names: Vec<String> = (0..200).map(|number| format!("package-{number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let composition = composition(&names);
        let tiles = tiles(&composition);
        assert_eq!((tiles.len(), tiles[TILES].name.as_str(), tiles[TILES].row), (TILES + 1, "140 more", TILES + 1));
        assert!(page("shop", &composition).unwrap().len() < 200_000);
    }

    /// A function of nothing is a page all the same.
    #[test]
    fn nothing() {
        assert!(page("shop", &composition(&[])).unwrap().contains("0 B"));
    }
}
