//! `ship ls --chart`: how large deployments are, over time.

use ship_api::{DeploymentList, ListedView};
use ship_core::ProjectName;

use crate::output::{Styles, bar, short_time, size};

/// How wide a line is where no terminal says so, in characters.
const WIDTH: usize = 80;

/// What stands before a bar, in characters: id, time and size.
const BEFORE_BAR: usize = 34;

/// The longest bar, in characters.
const LONGEST_BAR: usize = 100;

/// Bars below each other, the newest last, those of a project together.
pub(super) fn draw(list: &DeploymentList, styles: Styles) -> String {
    let room = styles.width().unwrap_or(WIDTH).saturating_sub(BEFORE_BAR).clamp(1, LONGEST_BAR);
    let mut projects: Vec<&ProjectName> = list.deployments.iter().map(|listed| &listed.deployment.project).collect();
    projects.sort_unstable();
    projects.dedup();
    let drawn = projects.iter().map(|project| of_project(project, list, room, styles));
    drawn.collect::<Vec<_>>().join("\n")
}

fn of_project(project: &ProjectName, list: &DeploymentList, room: usize, styles: Styles) -> String {
    let of_project = || list.deployments.iter().filter(|listed| listed.deployment.project == *project);
    let most = of_project().map(|listed| listed.size_bytes).max().unwrap_or_default();
    let lines = of_project().rev().map(|listed| line(listed, most, room, styles));
    format!("{}\n{}", styles.strong(project), lines.collect::<String>())
}

fn line(listed: &ListedView, most: u64, room: usize, styles: Styles) -> String {
    let time = short_time(listed.deployment.created_at);
    // Without the year and the seconds, which nobody reads a chart for.
    let time: String = time.chars().skip(5).take(11).collect();
    let bar = bar(listed.size_bytes, most, room);
    let (mark, bar) = if listed.is_production { ("*", styles.good(bar)) } else { (" ", styles.place(bar)) };
    let id = listed.deployment.id.short();
    format!("{id}{mark} {} {:>10}  {bar}\n", styles.dim(time), size(listed.size_bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Output;

    /// Each project by itself, the oldest first, and production marked.
    #[test]
    fn bars() {
        let listed = |project: &str, id: char, day: u32, size: u64| {
            let id = id.to_string().repeat(32);
            serde_json::json!({
                "deployment": { "id": id, "project": project, "target": "preview", "branch": null, "commit": null,
                    "created_at": format!("2026-04-{day:02}T12:03:04Z") },
                "url": "http://a.localhost", "aliases": [], "is_production": day == 12, "size_bytes": size,
            })
        };
        let deployments = [
            listed("shop", 'c', 13, 2_500_000),
            listed("garden", 'd', 12, 900),
            listed("shop", 'b', 12, 2_000_000),
            listed("shop", 'a', 11, 10_000),
        ];
        let list = serde_json::from_value(serde_json::json!({ "deployments": deployments })).unwrap();
        insta::assert_snapshot!(draw(&list, Output::for_tests().data_styles()));
    }
}
