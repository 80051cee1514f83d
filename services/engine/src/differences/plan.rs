//! Which columns are compared: those that are asked for, found among the columns that `match_sql` gives.

use std::collections::BTreeSet;

use arrow::datatypes::Schema;
use datafusion::execution::context::SessionContext;

use super::Differences;
use super::values::Test;
use crate::error::{Error, Result, Violation};
use crate::job::{Alike, Compare, ComparedColumn};
use crate::lineage::Side;
use crate::names::{self, DIFFERS, no_such_column};
use crate::type_names::type_name;

/// A comparison that can be made of every batch of output rows.
pub struct Comparison {
    pub(super) columns: Vec<Compared>,
    /// Output columns that hold the key of a match.
    pub(super) keys: Vec<usize>,
    /// What is known without any row.
    pub(super) schemas: Differences,
}

/// A column of each side.
pub(super) struct Compared {
    pub names: [String; 2],
    pub types: [String; 2],
    pub outputs: [String; 2],
    pub allowed: Option<String>,
    /// Where the output has them.
    pub places: [usize; 2],
    pub test: Test,
}

/// What `match_sql` reads and gives.
pub struct Output<'a> {
    /// The names of the sides in messages.
    pub aliases: [&'a str; 2],
    /// The columns of the sides.
    pub sides: [&'a Schema; 2],
    /// The columns that are given.
    pub schema: &'a Schema,
    /// Which column of a side each of them is.
    pub origins: Vec<Option<(Side, String)>>,
    /// Columns of the two sides that conditions set equal, as they are or by what is made of them.
    pub equated: BTreeSet<(String, String)>,
}

impl Comparison {
    /// What is wrong with `asked` is told at once.
    pub fn new(ctx: &SessionContext, asked: &Compare, output: &Output<'_>) -> Result<Self> {
        let mut wrong = Vec::new();
        if output.schema.index_of(DIFFERS).is_ok() {
            let message =
                format!("the column name `{DIFFERS}` is that of the columns that differ: give it another one with AS");
            wrong.push(Violation::new("match_sql", message));
        }
        output.refuse_unknown(asked, &mut wrong);
        let mut columns = Vec::new();
        for (field, column) in output.pairs(asked) {
            let told = field.as_deref().unwrap_or("compare");
            match output.compared(ctx, &column, field.is_some()) {
                Ok(compared) => columns.push(compared),
                Err(message) => wrong.push(Violation::new(told, message)),
            }
        }
        if wrong.is_empty() && columns.is_empty() {
            let message = "there is nothing to compare: the sides have no columns of one name besides those that bring \
                           their rows together. Say which columns belong together";
            wrong.push(Violation::new("compare", message));
        }
        if !wrong.is_empty() {
            return Err(Error::Invalid(wrong));
        }
        let keys = output
            .equated
            .iter()
            .filter_map(|(left, right)| output.place(Side::Left, left).or_else(|| output.place(Side::Right, right)));
        let keys: Vec<usize> = keys.collect::<BTreeSet<_>>().into_iter().collect();
        let key_columns = keys.iter().map(|key| output.schema.field(*key).name().clone()).collect();
        let schemas = Differences { key_columns, ..output.schemas(asked, &columns) };
        Ok(Self { columns, keys, schemas })
    }
}

impl Output<'_> {
    fn names(&self, side: usize) -> impl Iterator<Item = &str> + Clone {
        self.sides[side].fields().iter().map(|field| field.name().as_str())
    }

    fn place(&self, side: Side, name: &str) -> Option<usize> {
        self.origins.iter().position(|origin| origin.as_ref().is_some_and(|(of, own)| *of == side && own == name))
    }

    fn refuse_unknown(&self, asked: &Compare, wrong: &mut Vec<Violation>) {
        for (at, column) in asked.columns.iter().enumerate() {
            for (side, name) in [&column.left, &column.right].into_iter().enumerate() {
                if self.names(side).all(|own| own != name) {
                    let message = format!("`{}`: {}", self.aliases[side], no_such_column(name, self.names(side)));
                    wrong.push(Violation::new(format!("compare.columns[{at}]"), message));
                }
            }
        }
        let right_alone = self.names(1).filter(|name| self.names(0).all(|left| left != *name));
        let all = self.names(0).chain(right_alone);
        for (at, name) in asked.except.iter().enumerate() {
            if all.clone().all(|own| own != name) {
                let message = no_such_column(name, all.clone());
                wrong.push(Violation::new(format!("compare.except[{at}]"), message));
            }
        }
    }

    /// The pairs of columns to compare that there are, and where the job asks for them; those that stand for all others are last.
    fn pairs(&self, asked: &Compare) -> Vec<(Option<String>, ComparedColumn)> {
        let known = |column: &ComparedColumn| {
            self.names(0).any(|own| own == column.left) && self.names(1).any(|own| own == column.right)
        };
        let asked_for = asked.columns.iter().enumerate().filter(|(_, column)| known(column));
        let mut all: Vec<_> =
            asked_for.map(|(at, column)| (Some(format!("compare.columns[{at}]")), column.clone())).collect();
        let Some(alike) = &asked.others else { return all };
        let others = self.names(0).filter(|name| self.names(1).any(|own| own == *name));
        let others = others.filter(|name| asked.is_other(name));
        let others = others.filter(|name| !self.equated.contains(&((*name).to_owned(), (*name).to_owned())));
        all.extend(others.map(|name| {
            let column = ComparedColumn { left: name.to_owned(), right: name.to_owned(), alike: alike.clone() };
            (None, column)
        }));
        all
    }

    /// `by_name`: the job names the columns, and what it says of them has to suit them.
    fn compared(&self, ctx: &SessionContext, column: &ComparedColumn, by_name: bool) -> Result<Compared, String> {
        let names = [column.left.clone(), column.right.clone()];
        let places = [self.place(Side::Left, &names[0]), self.place(Side::Right, &names[1])];
        let [Some(left), Some(right)] = places else {
            let lacks = places.iter().zip(self.aliases).zip(&names).filter(|((place, _), _)| place.is_none());
            let lacks: Vec<String> = lacks.map(|((_, alias), name)| format!("{alias}.{name}")).collect();
            let or = if by_name { "" } else { ", or leave it out by `except`" };
            return Err(format!(
                "match_sql does not give {}, which is to be compared: add it to the SELECT{or}",
                names::list(&lacks)
            ));
        };
        let [left_type, right_type] = [left, right].map(|place| self.schema.field(place).data_type());
        let test = |alike: &Alike| Test::new(ctx, left_type, right_type, alike);
        let alike = match by_name {
            true => column.alike.clone(),
            // What is said of all others is meant for those that it suits.
            false => {
                column.alike.parts().into_iter().filter(|part| test(part).is_ok()).fold(Alike::default(), Alike::or)
            }
        };
        let [l, r] = self.aliases;
        let test = test(&alike).map_err(|message| format!("`{l}.{}` and `{r}.{}`: {message}", names[0], names[1]))?;
        let of_side = |side: usize| {
            let field = self.sides[side].field_with_name(&names[side]);
            field.map_or_else(|_| String::new(), |field| type_name(field.data_type()))
        };
        let (types, allowed) = ([of_side(0), of_side(1)], alike.in_words());
        let outputs = [left, right].map(|place| self.schema.field(place).name().clone());
        Ok(Compared { types, allowed, names, outputs, places: [left, right], test })
    }

    /// What the columns of the sides have to do with each other.
    fn schemas(&self, asked: &Compare, columns: &[Compared]) -> Differences {
        let keys = self.equated.iter().map(|(left, right)| [left.clone(), right.clone()]).collect::<Vec<_>>();
        let all = asked.others.is_some();
        let known = |side: usize, name: &str| {
            keys.iter().chain(columns.iter().map(|compared| &compared.names)).any(|names| names[side] == name)
                || asked.except.iter().any(|except| except == name)
        };
        let only = |side: usize| -> Vec<String> {
            self.names(side).filter(|name| all && !known(side, name)).map(str::to_owned).collect()
        };
        let (only_left, only_right) = (only(0), only(1));
        let shared = |side: usize| self.names(side).filter(move |name| self.names(1 - side).any(|own| own == *name));
        let reordered = all && !shared(0).eq(shared(1));
        Differences { keys, only_left, only_right, reordered, ..Differences::default() }
    }
}
