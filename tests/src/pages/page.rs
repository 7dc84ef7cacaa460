//! Reading a page of Markdown: its blocks of code and the comments that set the stage, in order.

use std::iter::{Enumerate, Peekable};
use std::str::Lines;

use super::block::{Asked, Step, asked, commands};

/// What is wrong with a page, and on which line.
type Problem = (usize, String);

/// What a page asks for, from its first line to its last.
pub(super) fn steps(text: &str) -> Result<Vec<Step>, Problem> {
    let mut lines = text.lines().enumerate().peekable();
    let mut steps = Vec::new();
    let mut before = "";
    while let Some((number, line)) = lines.next() {
        let place = number + 1;
        let problem = |problem: String| (place, problem);
        if let Some(info) = line.trim_start().strip_prefix("```") {
            let block = until_fence(&mut lines, line.len() - line.trim_start().len());
            steps.push(Step { line: place, asked: asked(info, &block).map_err(problem)? });
        } else if let Some(comment) = line.strip_prefix("<!-- ") {
            let comment = until_comment_ends(comment, &mut lines);
            steps.push(Step { line: place, asked: staged(&comment).map_err(problem)? });
        } else if before.is_empty() && line.starts_with("    ") && !line.trim().is_empty() {
            return Err(problem("a block without a fence has no language, so nobody knows what to do with it".into()));
        }
        before = line;
    }
    Ok(steps)
}

/// The lines of a block that begins at a column, up to its end.
fn until_fence(lines: &mut Peekable<Enumerate<Lines<'_>>>, column: usize) -> String {
    let block = lines.by_ref().map(|(_, line)| line).take_while(|line| line.trim() != "```");
    block.flat_map(|line| [line.get(column..).unwrap_or_default(), "\n"]).collect()
}

/// A comment that may go on over several lines.
fn until_comment_ends(first: &str, lines: &mut Peekable<Enumerate<Lines<'_>>>) -> String {
    let mut comment = first.to_owned();
    while !comment.contains("-->") {
        let Some((_, line)) = lines.next() else { break };
        comment.push('\n');
        comment.push_str(line);
    }
    comment.split("-->").next().unwrap_or_default().trim().to_owned()
}

/// What a comment asks for.
fn staged(comment: &str) -> Result<Asked, String> {
    if let Some(lines) = comment.strip_prefix("run:") {
        return Ok(Asked::Type { typed: commands(lines), code: 0 });
    }
    let named = comment.strip_prefix("let ").and_then(|rest| rest.split_once(": "));
    let (name, command) = named.ok_or_else(|| format!("a comment that asks for nothing: {comment}"))?;
    Ok(Asked::Let { name: name.to_owned(), command: command.to_owned() })
}
