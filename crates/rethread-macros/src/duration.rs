use syn::LitStr;

/// Reads `250ms`, `30s`, `5m` or `1h` as milliseconds.
pub(crate) fn parse_ms(literal: &LitStr) -> syn::Result<u64> {
    ms(&literal.value()).ok_or_else(|| {
        syn::Error::new(
            literal.span(),
            "not a duration: write a whole number above 0 and a unit, such as \"250ms\", \"30s\", \
             \"5m\" or \"1h\"",
        )
    })
}

fn ms(text: &str) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit_ms = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(unit_ms).filter(|ms| *ms > 0)
}

#[cfg(test)]
mod tests {
    use super::ms;

    #[test]
    fn reads_units() {
        let texts = ["250ms", "30s", "5m", "1h"];
        assert_eq!(texts.map(ms), [250, 30_000, 300_000, 3_600_000].map(Some));
    }

    #[test]
    fn refuses_everything_else() {
        for text in ["", "30", "s", "0s", "-1s", "1.5s", "30 s", "30sec", "99999999999999999h"] {
            assert_eq!(ms(text), None, "{text}");
        }
    }
}
