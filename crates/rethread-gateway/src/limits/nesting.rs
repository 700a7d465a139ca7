/// Most levels of arrays and objects within each other.
pub(super) const DEPTH_MAX: usize = 64;

/// How a JSON text is larger than it may be, whatever its bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Excess {
    /// It is nested deeper than [`DEPTH_MAX`].
    Depth,
    /// It has more elements and members than it may.
    Items,
}

/// Whether JSON text is too deep, or has more than so many elements and members at all levels. Of
/// what is no JSON it says anything.
pub(super) fn excess(text: &[u8], items_max: usize) -> Option<Excess> {
    let (mut depth, mut items, mut in_text, mut is_escaped) = (0_usize, 0_usize, false, false);
    for byte in text {
        match (in_text, byte) {
            (true, _) if is_escaped => is_escaped = false,
            (true, b'\\') => is_escaped = true,
            (_, b'"') => in_text = !in_text,
            (false, b'[' | b'{') => {
                depth += 1;
                // An empty one counts as well: it takes as much room.
                items += 1;
                if depth > DEPTH_MAX {
                    return Some(Excess::Depth);
                }
            }
            (false, b']' | b'}') => depth = depth.saturating_sub(1),
            (false, b',') => items += 1,
            _ => {}
        }
        if items > items_max {
            return Some(Excess::Items);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_too_deep(text: &str) -> bool {
        excess(text.as_bytes(), usize::MAX) == Some(Excess::Depth)
    }

    #[test]
    fn levels_are_counted_outside_of_texts() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(!is_too_deep(&nested(DEPTH_MAX)));
        assert!(is_too_deep(&nested(DEPTH_MAX + 1)));
        let wide = format!("[{}]", vec![nested(DEPTH_MAX - 1); 3].join(","));
        assert!(!is_too_deep(&wide));
        let text = format!(r#"{{"\\\"": "{}\"{}"}}"#, "[".repeat(100), "{".repeat(100));
        assert!(!is_too_deep(&text), "{text}");
    }

    #[test]
    fn items_are_counted_at_all_levels() {
        let list = |length: usize| format!("[{}]", vec!["0"; length].join(","));
        assert_eq!(excess(list(10).as_bytes(), 10), None);
        assert_eq!(excess(list(11).as_bytes(), 10), Some(Excess::Items));
        assert_eq!(excess(br#"{"a": [1, 2], "b": {"c": ",,,,,"}}"#, 5), None);
        assert_eq!(excess(br#"{"a": [1, 2], "b": {"c": ",,,,,"}}"#, 4), Some(Excess::Items));
    }
}
