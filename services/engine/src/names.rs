//! Names: those that are ours, in one place, and how names are told.

use kalla_spelling::nearest;

/// Columns of the result sets that hold numbers of rows.
pub const LEFT_ROW: &str = "_left_row";
pub const RIGHT_ROW: &str = "_right_row";
pub const ROW: &str = "_row";

/// Column of the matched result set that holds the names of those that differ, where columns are compared.
pub const DIFFERS: &str = "_differs";

/// All numbers of rows: `match_sql` must not give its own columns these names.
pub const RESULT: [&str; 3] = [LEFT_ROW, RIGHT_ROW, ROW];

/// Names that begin with this stand in plans only: neither sources nor `match_sql` may use them.
pub const INTERNAL: &str = "__kalla_";

/// So begin those of columns that conditions of subqueries read.
pub const ASKED: &str = "__kalla_asked_";

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

/// Names that are told where none is alike.
const TOLD: usize = 12;

/// "There is no such column", with the one that was meant or, where none is alike, those that there are.
pub fn no_such_column<'a>(name: &str, columns: impl Iterator<Item = &'a str>) -> String {
    let columns: Vec<&str> = columns.collect();
    let hint = match (nearest(name, columns.iter().copied()), columns.len()) {
        (Some(near), _) => format!("did you mean `{near}`?"),
        (None, 1) => format!("the only one is {}", list(&columns)),
        (None, 2..=TOLD) => format!("there are {}", list(&columns)),
        (None, all) => format!("there are {all}, among them {}", list(&columns[..TOLD.min(all)])),
    };
    format!("there is no column `{name}`: {hint}")
}

/// `` `a`, `b` and `c` ``.
pub fn list<S: AsRef<str>>(names: &[S]) -> String {
    let quoted: Vec<String> = names.iter().map(|n| format!("`{}`", n.as_ref())).collect();
    match quoted.as_slice() {
        [rest @ .., last] if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => quoted.join(""),
    }
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
    fn an_unknown_column_is_told_with_those_that_it_may_be() {
        let many: Vec<String> = (0..30).map(|n| format!("c{n}")).collect();
        let told = |name: &str, columns: &[&str]| no_such_column(name, columns.iter().copied());
        assert_eq!(told("amuont", &["id", "amount"]), "there is no column `amuont`: did you mean `amount`?");
        assert_eq!(told("zzz", &["id", "amount"]), "there is no column `zzz`: there are `id` and `amount`");
        assert_eq!(told("zzz", &["id"]), "there is no column `zzz`: the only one is `id`");
        let many = told("zzz", &many.iter().map(String::as_str).collect::<Vec<_>>());
        assert!(
            many.ends_with(
                "there are 30, among them `c0`, `c1`, `c2`, `c3`, `c4`, `c5`, `c6`, `c7`, `c8`, `c9`, `c10` and `c11`"
            ),
            "{many}"
        );
    }

    #[test]
    fn internal_names_are_known_in_any_case() {
        assert!(is_internal("__kalla_row") && is_internal("__KALLA_x"));
        assert!(!is_internal("__kalla") && !is_internal("kalla_row") && !is_internal("§__kalla"));
    }
}
