//! Prose of the comments in Rust: a doc comment opens with the noun that it describes.

use super::{FOLDERS, fail, name_of, rust_files};

/// Words that do not open a doc comment: they ask where a noun would answer.
const NOT_NOUNS: &[&str] = &["What", "Who", "Whether", "How", "Those"];

/// Lines, by number, on which a doc comment opens with one of the words.
fn openings(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut before = "";
    for (index, line) in text.lines().enumerate() {
        let line = line.trim_start();
        let marks = ["///", "//!"];
        let mark = marks.into_iter().find(|mark| line.starts_with(mark));
        if let Some(mark) = mark
            && !before.starts_with(mark)
        {
            let opening = line[mark.len()..].split_whitespace().next().unwrap_or_default();
            if NOT_NOUNS.contains(&opening) {
                found.push((index + 1, line));
            }
        }
        before = line;
    }
    found
}

#[test]
fn doc_comments_open_with_a_noun() {
    let mut found = Vec::new();
    for path in FOLDERS.iter().flat_map(|folder| rust_files(folder)) {
        let text = std::fs::read_to_string(&path).unwrap();
        let lines = openings(&text);
        found.extend(lines.iter().map(|(line, text)| format!("{}:{line}: {text}", name_of(&path))));
    }
    fail("a doc comment opens with a noun, not with What, Who, Whether, How or Those", found);
}

#[test]
fn only_the_first_word_of_a_doc_comment_counts() {
    let text = [
        "//! What it does.",
        "//! Whether it does.",
        "",
        "/// Number of them.",
        "/// How many there are.",
        "fn f();",
        "    /// Who asks.",
        "    // Those are no docs.",
        "    /// Whoever asks.",
    ]
    .join("\n");
    let found: Vec<usize> = openings(&text).iter().map(|(line, _)| *line).collect();
    assert_eq!(found, [1, 7]);
}
