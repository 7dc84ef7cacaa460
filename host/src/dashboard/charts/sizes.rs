//! How large the newest deployments of a project are: a bar for each.

use ship_api::ListedView;

use crate::dashboard::text;

/// How many deployments there are bars for.
pub(in crate::dashboard) const SHOWN: usize = 60;

/// How high the picture is, in its own units, and how far a bar is from the next.
const HEIGHT: f64 = 100.0;
const STEP: usize = 30;

/// The picture as its template has it.
#[derive(Debug, PartialEq, serde::Serialize)]
pub(in crate::dashboard) struct Sizes {
    width: usize,
    bars: Vec<Bar>,
    newest: String,
    largest: String,
    summary: String,
}

#[derive(Debug, PartialEq, serde::Serialize)]
struct Bar {
    x: usize,
    y: f64,
    height: f64,
    is_production: bool,
    title: String,
}

impl Sizes {
    /// The sizes of deployments that are given newest first; nothing of fewer than two.
    pub(in crate::dashboard) fn of(listed: &[ListedView]) -> Option<Self> {
        let newest = listed.first().filter(|_| listed.len() > 1)?;
        let most = listed.iter().map(|one| one.size_bytes).max()?;
        let bars: Vec<Bar> = listed.iter().rev().enumerate().map(|(place, one)| bar(place, one, most)).collect();
        let (newest, largest) = (text::bytes(newest.size_bytes as f64), text::bytes(most as f64));
        let count = listed.len();
        let summary =
            format!("The sizes of the last {count} deployments: the newest has {newest}, the largest {largest}");
        Some(Self { width: bars.len() * STEP, bars, newest, largest, summary })
    }
}

fn bar(place: usize, listed: &ListedView, most: u64) -> Bar {
    let height = (listed.size_bytes as f64 / most.max(1) as f64 * HEIGHT).max(1.0);
    Bar {
        x: place * STEP + 3,
        y: ((HEIGHT - height) * 10.0).round() / 10.0,
        height: (height * 10.0).round() / 10.0,
        is_production: listed.is_production,
        title: format!("{}: {}", listed.deployment.id.short(), text::bytes(listed.size_bytes as f64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(id: char, size_bytes: u64) -> ListedView {
        let deployment = serde_json::json!({
            "id": id.to_string().repeat(32), "project": "garden", "target": "preview", "branch": null, "commit": null,
            "created_at": "2026-04-14T12:03:04Z",
        });
        let view = serde_json::json!({
            "deployment": deployment, "url": "", "aliases": [], "is_production": id == 'b', "size_bytes": size_bytes,
        });
        serde_json::from_value(view).unwrap()
    }

    /// The oldest stands first, and the largest is as high as the picture; what has no bytes is seen all the same.
    #[test]
    fn bars() {
        let sizes = Sizes::of(&[listed('c', 0), listed('b', 4_000), listed('a', 1_000)]).unwrap();
        let bars: Vec<_> = sizes.bars.iter().map(|bar| (bar.x, bar.y, bar.height, bar.is_production)).collect();
        assert_eq!(bars, [(3, 75.0, 25.0, false), (33, 0.0, 100.0, true), (63, 99.0, 1.0, false)]);
        assert_eq!(sizes.summary, "The sizes of the last 3 deployments: the newest has 0 B, the largest 4.0 kB");
        assert_eq!(sizes.bars[0].title, "aaaaaaaa: 1.0 kB");
        assert_eq!(Sizes::of(&[listed('a', 1)]), None);
    }
}
