//! Which of some known names a misspelled one was meant to be, for the errors that say "did you mean …?", and which text was meant
//! to be an address.

/// Names that differ in more than three of seven characters are other names.
const ALIKE: f64 = 0.57;
/// How alike two names are of which one holds the other: `amount` and `paid_amount`.
const HELD: f64 = 0.8;
/// Shorter names are found in others by chance.
const HOLDABLE: usize = 4;

/// The candidate that `name` is most likely a misspelling of, whatever its case; the first of those that are as near.
/// `None` where all are other names.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = name.to_lowercase();
    let mut best: Option<(f64, &str)> = None;
    for candidate in candidates {
        let closeness = closeness(&wanted, &candidate.to_lowercase());
        if closeness >= ALIKE && best.is_none_or(|(found, _)| closeness > found) {
            best = Some((closeness, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// Schemes of addresses that people write, and in which there may be a password.
const SCHEMES: [&str; 7] = ["postgres", "postgresql", "s3", "gs", "file", "http", "https"];

/// The scheme of a text that lacks a slash to be an address: it is not taken for a path, which is shown.
pub fn almost_address(text: &str) -> Option<&str> {
    let (scheme, _) = text.split_once(":/").or_else(|| text.split_once(':').filter(|(_, rest)| rest.contains('@')))?;
    SCHEMES.iter().any(|known| known.eq_ignore_ascii_case(scheme)).then_some(scheme)
}

fn closeness(a: &str, b: &str) -> f64 {
    if a == b {
        1.0
    } else if a.len().min(b.len()) >= HOLDABLE && (a.contains(b) || b.contains(a)) {
        HELD
    } else {
        strsim::normalized_damerau_levenshtein(a, b)
    }
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn the_nearest_name_is_the_one_that_was_meant() {
        let known = ["invoice_id", "amount", "paid_on", "currency", "id", "ÄRGER"];
        for (name, meant) in [
            ("amuont", Some("amount")),
            ("AMOUNT", Some("amount")),
            ("paid_amount", Some("amount")),
            ("idd", Some("id")),
            ("invoiceid", Some("invoice_id")),
            ("currrency", Some("currency")),
            ("ärger", Some("ÄRGER")),
            ("curreny", Some("currency")),
            ("nonsense", None),
            ("", None),
        ] {
            assert_eq!(nearest(name, known), meant, "{name}");
        }
    }

    #[test]
    fn of_two_that_are_as_near_the_first_is_taken() {
        assert_eq!(nearest("a1", ["a2", "a3"]), None);
        assert_eq!(nearest("col1", ["col2", "col3"]), Some("col2"));
        assert_eq!(nearest("x", []), None);
    }
}
