/// Most levels of arrays and objects within each other.
pub(super) const DEPTH_MAX: usize = 64;

/// Whether JSON text is nested deeper than [`DEPTH_MAX`]. Of what is no JSON it says anything.
pub(super) fn is_too_deep(text: &[u8]) -> bool {
    let (mut depth, mut in_text, mut is_escaped) = (0_usize, false, false);
    for byte in text {
        match (in_text, byte) {
            (true, _) if is_escaped => is_escaped = false,
            (true, b'\\') => is_escaped = true,
            (_, b'"') => in_text = !in_text,
            (false, b'[' | b'{') => {
                depth += 1;
                if depth > DEPTH_MAX {
                    return true;
                }
            }
            (false, b']' | b'}') => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_counted_outside_of_texts() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(!is_too_deep(nested(DEPTH_MAX).as_bytes()));
        assert!(is_too_deep(nested(DEPTH_MAX + 1).as_bytes()));
        let wide = format!("[{}]", vec![nested(DEPTH_MAX - 1); 3].join(","));
        assert!(!is_too_deep(wide.as_bytes()));
        let text = format!(r#"{{"\\\"": "{}\"{}"}}"#, "[".repeat(100), "{".repeat(100));
        assert!(!is_too_deep(text.as_bytes()), "{text}");
    }
}
