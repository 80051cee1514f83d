//! The names that are ours, in one place.

/// Columns of the result sets that hold numbers of rows.
pub const LEFT_ROW: &str = "_left_row";
pub const RIGHT_ROW: &str = "_right_row";
pub const ROW: &str = "_row";

/// All of them: `match_sql` must not give its own columns these names.
pub const RESULT: [&str; 3] = [LEFT_ROW, RIGHT_ROW, ROW];

/// Names that begin with this stand in plans only: neither sources nor `match_sql` may use them.
pub const INTERNAL: &str = "__kalla_";

/// The last column of a numbered source: the row's number, `Int64`, never NULL, counted from 0.
pub const ROW_NUMBER: &str = "__kalla_row";

/// Whether `match_sql` could reach one of our columns by this name.
pub fn is_internal(name: &str) -> bool {
    name.get(..INTERNAL.len()).is_some_and(|start| start.eq_ignore_ascii_case(INTERNAL))
}

/// What a column of a source is called among the unmatched rows: as in the source, unless that is our own column there.
pub fn unmatched<'a>(name: &'a str, columns: &[&str]) -> std::borrow::Cow<'a, str> {
    if name != ROW {
        return name.into();
    }
    let free = (1..).map(|n| format!("{ROW}_{n}")).find(|free| !columns.contains(&free.as_str()));
    free.map_or(name.into(), Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_like_ours_gets_the_first_free_name() {
        assert_eq!(unmatched("id", &["id", "_row"]), "id");
        assert_eq!(unmatched("_row", &["id", "_row"]), "_row_1");
        assert_eq!(unmatched("_row", &["_row_1", "_row", "_row_2"]), "_row_3");
    }

    #[test]
    fn internal_names_are_known_in_any_case() {
        assert!(is_internal("__kalla_row") && is_internal("__KALLA_x"));
        assert!(!is_internal("__kalla") && !is_internal("kalla_row") && !is_internal("§__kalla"));
    }
}
