//! Paths that a source file names, in full: over several lines, in braces, by `super`.

/// A path from the root of the crate on, and the line on which it begins.
#[derive(Debug, PartialEq, Eq)]
pub struct Named {
    pub line: usize,
    pub path: Vec<String>,
}

/// Every path of `text` that begins with `crate`, `self` or `super`; `file` is relative to `src`.
pub fn named(file: &str, text: &str) -> Vec<Named> {
    let mut module: Vec<String> =
        file.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    module.pop_if(|last| ["mod", "lib", "main"].contains(&last.as_str()));
    let code: String = text.lines().flat_map(|line| [without_comment(line), "\n"]).collect();
    let mut found = Vec::new();
    for root in ["crate", "self", "super"] {
        for (at, _) in code.match_indices(&format!("{root}::")) {
            let before = code[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || "_:".contains(c)) {
                continue;
            }
            let mut place = module.clone();
            place.extend(inline_module(&code[..at]));
            let line = code[..at].matches('\n').count() + 1;
            let mut paths = Vec::new();
            tree(&code[at..], &mut Vec::new(), &mut paths);
            let paths = paths.into_iter().map(|path| Named { line, path: resolved(&place, path) });
            found.extend(paths);
        }
    }
    found
}

fn without_comment(line: &str) -> &str {
    let starts = line.match_indices("//").map(|(at, _)| at);
    let start = starts.into_iter().find(|&at| !line[..at].ends_with(':'));
    &line[..start.unwrap_or(line.len())]
}

/// Name of the module in braces that is open at the end of `code`, if there is one.
fn inline_module(code: &str) -> Option<String> {
    let mut open = None;
    for line in code.lines() {
        if let Some(name) = line.strip_prefix("mod ").and_then(|rest| rest.strip_suffix(" {")) {
            open = Some(name.to_owned());
        } else if line.starts_with('}') {
            open = None;
        }
    }
    open
}

/// Reads a path or a group of paths; returns the rest of the text.
fn tree<'t>(text: &'t str, path: &mut Vec<String>, found: &mut Vec<Vec<String>>) -> &'t str {
    let mut text = text.trim_start();
    if let Some(mut rest) = text.strip_prefix('{') {
        loop {
            rest = rest.trim_start();
            if let Some(rest) = rest.strip_prefix('}') {
                return rest;
            }
            let before = rest.len();
            rest = tree(rest, &mut path.clone(), found);
            // Skips `as other`, a comma, or anything else between two paths.
            let next = rest.find([',', '}']).unwrap_or(rest.len());
            rest = rest[next..].trim_start_matches(',');
            if rest.len() == before || rest.is_empty() {
                return rest;
            }
        }
    }
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    if end > 0 {
        path.push(text[..end].to_owned());
    }
    text = &text[end..];
    match text.strip_prefix("::") {
        Some(rest) if end > 0 => tree(rest, path, found),
        _ => {
            found.push(path.clone());
            text
        }
    }
}

/// The path from the root of the crate on, as the module `place` names it.
fn resolved(place: &[String], path: Vec<String>) -> Vec<String> {
    let mut from = place.to_vec();
    for (index, segment) in path.iter().enumerate() {
        match segment.as_str() {
            "crate" => from.clear(),
            "super" => drop(from.pop()),
            "self" => {}
            _ => return from.into_iter().chain(path[index..].iter().cloned()).collect(),
        }
    }
    from
}

#[test]
fn every_form_of_a_path_is_seen() {
    let text = "use crate::wire::Head; // crate::comment
use crate::{
    store::{Error, meta::rows as lines},
    types,
};
use super::{Call, receive};
use super::super::clock;
pub(crate) use self::inner::*;
fn f() -> crate::auth::Payload { g(\"http://x\", $crate::digest::md5) }
mod tests {
    use super::super::other;
}
";
    let mut seen: Vec<(usize, String)> = named("ops/put_object.rs", text)
        .into_iter()
        .map(|Named { line, path }| (line, path.join("::")))
        .collect();
    seen.sort();
    let wanted = [
        (1, "wire::Head"),
        (2, "store::Error"),
        (2, "store::meta::rows"),
        (2, "types"),
        (6, "ops::Call"),
        (6, "ops::receive"),
        (7, "clock"),
        (8, "ops::put_object::inner"),
        (9, "auth::Payload"),
        (9, "digest::md5"),
        (11, "ops::other"),
    ];
    let wanted: Vec<_> = wanted.into_iter().map(|(line, path)| (line, path.to_owned())).collect();
    assert_eq!(seen, wanted);
}
