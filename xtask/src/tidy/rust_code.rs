//! Rust sources without what is not code, so that a check does not trip over its own examples.
//!
//! A scanner, not a parser: it knows comments, strings, characters and braces.

/// What a check wants to see of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Code,
    Comment,
    Literal,
}

/// The source with comments and the insides of strings blanked. Lines keep their numbers.
pub(super) fn code(source: &str) -> String {
    masked(source, Class::Code)
}

/// The source with everything but comments blanked. Lines keep their numbers.
pub(super) fn comments(source: &str) -> String {
    masked(source, Class::Comment)
}

/// [`code`] without the items behind `#[cfg(test)]`.
pub(super) fn code_outside_tests(source: &str) -> String {
    let mut code = code(source);
    let marker = "#[cfg(test)]";
    while let Some(start) = code.find(marker) {
        let end = start + marker.len() + item_length(&code[start + marker.len()..]);
        let blank: String =
            code[start..end].chars().map(|c| if c == '\n' { '\n' } else { ' ' }).collect();
        code.replace_range(start..end, &blank);
    }
    code
}

/// Whether `word` stands in `text` as a whole word; `::` may be part of it.
pub(super) fn has_word(text: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        !text[..at].ends_with(is_part) && !text[at + word.len()..].starts_with(is_part)
    })
}

/// Bytes up to the end of the item that begins here: its closing brace, or a semicolon.
fn item_length(code: &str) -> usize {
    let (mut braces, mut brackets) = (0_usize, 0_usize);
    for (at, c) in code.char_indices() {
        match c {
            '{' => braces += 1,
            '(' | '[' => brackets += 1,
            ')' | ']' => brackets = brackets.saturating_sub(1),
            '}' if braces <= 1 => return at + 1,
            '}' => braces -= 1,
            ';' if braces == 0 && brackets == 0 => return at + 1,
            _ => {}
        }
    }
    code.len()
}

fn masked(source: &str, keep: Class) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while !rest.is_empty() {
        let (length, class) = token(rest, out.ends_with(|c: char| c.is_alphanumeric() || c == '_'));
        let (this, next) = rest.split_at(length);
        match class == keep {
            true => out.push_str(this),
            false => out.extend(this.chars().map(|c| if c == '\n' { '\n' } else { ' ' })),
        }
        rest = next;
    }
    out
}

/// Length and class of the token that `rest` begins with. `in_word`: the one before was part of a
/// word, so that a letter here starts no string.
fn token(rest: &str, in_word: bool) -> (usize, Class) {
    if rest.starts_with("//") {
        return (rest.find('\n').unwrap_or(rest.len()), Class::Comment);
    }
    if rest.starts_with("/*") {
        return (block_comment(rest), Class::Comment);
    }
    if rest.starts_with('\'') {
        return character(rest);
    }
    if let Some(inside) = rest.strip_prefix('"') {
        return (1 + quoted(inside), Class::Literal);
    }
    if !in_word && let Some(length) = prefixed_string(rest) {
        return (length, Class::Literal);
    }
    (rest.chars().next().map_or(1, char::len_utf8), Class::Code)
}

fn block_comment(rest: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

/// A character, or the tick of a lifetime.
fn character(rest: &str) -> (usize, Class) {
    let mut chars = rest.char_indices().skip(1);
    match (chars.next(), chars.next()) {
        (Some((_, '\\')), Some(_)) => {
            // The escaped character may itself be a tick.
            let end = rest.char_indices().skip(3).find(|(_, c)| *c == '\'');
            (end.map_or(rest.len(), |(at, _)| at + 1), Class::Literal)
        }
        (Some(_), Some((at, '\''))) => (at + 1, Class::Literal),
        _ => (1, Class::Code),
    }
}

/// Bytes of a string behind its opening quote, the closing one included.
fn quoted(inside: &str) -> usize {
    let mut escaped = false;
    for (at, c) in inside.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    inside.len()
}

/// A string with a prefix: `b".."`, `c".."`, `r".."`, `br#".."#`.
fn prefixed_string(rest: &str) -> Option<usize> {
    let letters = rest.find(|c| !matches!(c, 'b' | 'c' | 'r')).filter(|n| (1..=2).contains(n))?;
    let hashes = rest[letters..].find(|c| c != '#')?;
    let open = letters + hashes;
    if !rest[open..].starts_with('"') {
        return None;
    }
    if !rest[..letters].contains('r') {
        return (hashes == 0).then(|| open + 1 + quoted(&rest[open + 1..]));
    }
    let end = format!("\"{}", "#".repeat(hashes));
    let inside = &rest[open + 1..];
    Some(inside.find(&end).map_or(rest.len(), |at| open + 1 + at + end.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = r####"
let a = "one // two"; // three
let b = r#"four " five"#; /* six /* seven */ eight */ let c = 'n';
let d: &'static str = b"nine\" ten"; let e = '\''; let eleven = "";
fn tail<'a>(x: &'a str) {}
"####;

    #[test]
    fn code_has_neither_comments_nor_strings() {
        let code = code(SOURCE);
        for word in ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
        {
            assert!(!has_word(&code, word), "{word} in {code}");
        }
        for word in ["let", "static", "str", "eleven", "tail"] {
            assert!(has_word(&code, word), "{word} in {code}");
        }
        assert_eq!(code.lines().count(), SOURCE.lines().count());
    }

    #[test]
    fn comments_are_only_comments() {
        let comments = comments(SOURCE);
        assert!(has_word(&comments, "three") && has_word(&comments, "eight"));
        assert!(!has_word(&comments, "two") && !has_word(&comments, "let"));
    }

    #[test]
    fn test_items_are_left_out() {
        let source = "fn a() {}\n#[cfg(test)]\nmod tests { fn b() { let x = [1; 2]; } }\nfn c() {}\n\
                      #[cfg(test)]\nmod more;\nfn d() {}\n";
        let code = code_outside_tests(source);
        for (word, expected) in
            [("a", true), ("b", false), ("c", true), ("more", false), ("d", true)]
        {
            assert_eq!(has_word(&code, word), expected, "{word} in {code}");
        }
        assert_eq!(code.lines().count(), source.lines().count());
    }

    #[test]
    fn words_are_whole() {
        assert!(has_word("use rand::Rng;", "rand"));
        assert!(!has_word("let random = operand;", "rand"));
        assert!(has_word("std::time::Instant::now()", "Instant::now"));
    }

    #[test]
    fn unfinished_sources_do_not_stop_it() {
        for source in ["\"open", "/* open", "'", "'\\", "r#\"open", "b", "é'é'", "/"] {
            assert_eq!(code(source).chars().count(), source.chars().count(), "{source}");
        }
    }
}
