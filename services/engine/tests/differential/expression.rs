//! Random expressions, written with as few brackets as Postgres needs: who binds operators otherwise answers otherwise.

use crate::random::Random;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Integer,
    Decimal,
    Text,
    Flag,
    Date,
    /// A local timestamp.
    Moment,
}

impl Kind {
    pub const ALL: [Self; 6] = [Self::Integer, Self::Decimal, Self::Text, Self::Flag, Self::Date, Self::Moment];

    /// As answers say it.
    pub fn letter(self) -> char {
        match self {
            Self::Integer | Self::Decimal => 'n',
            Self::Text => 't',
            Self::Flag => 'b',
            Self::Date => 'd',
            Self::Moment => 'm',
        }
    }
}

/// An expression for both, and how tightly its outermost operator binds.
#[derive(Debug, Clone)]
pub struct Expression {
    pub ours: String,
    pub theirs: String,
    level: u8,
}

const OR: u8 = 1;
const AND: u8 = 2;
const NOT: u8 = 3;
const IS: u8 = 4;
const COMPARE: u8 = 5;
const RANGE: u8 = 6;
const OTHER: u8 = 7;
const ADD: u8 = 8;
const MULTIPLY: u8 = 9;
const SIGN: u8 = 11;
const ATOM: u8 = 13;

fn atom(text: impl Into<String>) -> Expression {
    let text = text.into();
    Expression { ours: text.clone(), theirs: text, level: ATOM }
}

impl Expression {
    pub fn atom(text: &str) -> Self {
        atom(text)
    }

    fn at(self, level: u8) -> Self {
        if self.level >= level {
            return self;
        }
        Self { ours: format!("({})", self.ours), theirs: format!("({})", self.theirs), level: ATOM }
    }
}

/// `{}` in the form stands for each part in turn.
fn of(level: u8, form: &str, parts: &[Expression]) -> Expression {
    let fill = |text: fn(&Expression) -> &str| {
        let mut pieces = form.split("{}");
        let first = pieces.next().unwrap_or_default().to_owned();
        parts.iter().zip(pieces).fold(first, |all, (part, piece)| all + text(part) + piece)
    };
    Expression { ours: fill(|part| &part.ours), theirs: fill(|part| &part.theirs), level }
}

/// An expression of a kind, over the columns of `l` and `r`.
pub fn expression(random: &mut Random, kind: Kind, depth: usize) -> Expression {
    if depth == 0 || random.chance(20) {
        return leaf(random, kind);
    }
    let part = |random: &mut Random, kind: Kind| expression(random, kind, depth - 1);
    if random.chance(12) {
        let (test, yes, no) = (part(random, Kind::Flag), part(random, kind), part(random, kind));
        return match random.below(3) {
            0 => of(ATOM, "CASE WHEN {} THEN {} ELSE {} END", &[test, yes, no]),
            1 => of(ATOM, "COALESCE({}, {})", &[yes, no]),
            _ => of(ATOM, "NULLIF({}, {})", &[yes, no]),
        };
    }
    match kind {
        Kind::Integer => match random.below(12) {
            9 => of(ATOM, "CAST({} AS BIGINT)", &[part(random, Kind::Decimal)]),
            10 => binary(ADD, "-", part(random, Kind::Date), part(random, Kind::Date)),
            11 => {
                let part_of = random.pick(&["day", "hour", "minute"]);
                let ends = [part(random, Kind::Moment).at(ADD), part(random, Kind::Moment).at(ADD + 1)];
                of(ATOM, &format!("CAST(extract({part_of} FROM {{}} - {{}}) AS BIGINT)"), &ends)
            }
            0 | 1 => binary(ADD, random.pick(&["+", "-"]), part(random, kind), part(random, kind)),
            2 | 3 => binary(MULTIPLY, "*", part(random, kind), part(random, kind)),
            4 => of(MULTIPLY, "{} % NULLIF({}, 0)", &[part(random, kind).at(MULTIPLY), part(random, kind)]),
            5 => of(SIGN, "- {}", &[part(random, kind).at(SIGN + 1)]),
            6 => of(ATOM, "abs({})", &[part(random, kind)]),
            7 => of(ATOM, "length({})", &[part(random, Kind::Text)]),
            _ => of(ATOM, "div({}, NULLIF({}, 0))", &[part(random, kind), part(random, kind)]),
        },
        Kind::Decimal => match random.below(13) {
            10 => of(ATOM, "CAST({} AS DECIMAL(38,1))", &[part(random, Kind::Decimal)]),
            11 => of(ATOM, "extract(second FROM {})", &[part(random, Kind::Moment)]),
            12 => {
                let side = random.pick(&["l", "r"]);
                atom(format!("CAST({side}.x AS DECIMAL(30,2))"))
            }
            0 | 1 => {
                let other = random.pick(&[Kind::Decimal, Kind::Integer]);
                binary(ADD, random.pick(&["+", "-"]), part(random, kind), part(random, other))
            }
            2 | 3 => {
                let other = random.pick(&[Kind::Decimal, Kind::Integer]);
                binary(MULTIPLY, "*", part(random, other), part(random, kind))
            }
            4 => of(MULTIPLY, "{} % NULLIF({}, 0)", &[part(random, kind).at(MULTIPLY), part(random, kind)]),
            5 => of(SIGN, "- {}", &[part(random, kind).at(SIGN + 1)]),
            6 => {
                let digits = random.pick(&["0", "1", "2", "3", "-1"]);
                let name = random.pick(&["round", "trunc"]);
                of(ATOM, &format!("{name}({{}}, {digits})"), &[part(random, kind)])
            }
            7 => of(
                ATOM,
                random.pick(&["ceil({})", "floor({})", "round({})", "trunc({})", "abs({})"]),
                &[part(random, kind)],
            ),
            _ => {
                let (above, below) = (random_number(random), random_number(random));
                quotient(part(random, above), part(random, below))
            }
        },
        Kind::Text => match random.below(7) {
            3 => {
                let form = random.pick(&[
                    "left({}, 2)",
                    "right({}, -1)",
                    "lpad({}, 3, '*')",
                    "replace({}, 'a', 'xy')",
                    "split_part({}, 'b', 1)",
                    "substr({}, 0, 3)",
                    "translate({}, 'ab', 'x')",
                    "CAST({} AS VARCHAR(2))",
                    "regexp_replace({}, '[ab]', '$1', 'g')",
                    "regexp_replace({}, '(a|b)', '<\\1\\&>')",
                ]);
                of(ATOM, form, &[part(random, kind)])
            }
            4 => of(ATOM, "concat({}, {})", &[part(random, kind), part(random, Kind::Moment)]),
            5 => {
                let kind = random.pick(&[Kind::Moment, Kind::Date, Kind::Flag]);
                of(ATOM, "CAST({} AS VARCHAR)", &[part(random, kind)])
            }
            6 => {
                let side = random.pick(&["l", "r"]);
                atom(format!("CAST({side}.x AS VARCHAR)"))
            }
            0 | 1 => binary(OTHER, "||", part(random, kind), part(random, kind)),
            2 => of(ATOM, random.pick(&["upper({})", "lower({})", "trim({})", "reverse({})"]), &[part(random, kind)]),
            _ => of(ATOM, "CAST({} AS VARCHAR)", &[part(random, Kind::Integer)]),
        },
        Kind::Date => {
            of(ATOM, random.pick(&["greatest({}, {})", "least({}, {})"]), &[part(random, kind), part(random, kind)])
        }
        Kind::Moment => match random.below(5) {
            0 => {
                binary(ADD, random.pick(&["+", "-"]), part(random, Kind::Date), atom("INTERVAL '36 hours 20 minutes'"))
            }
            1 => binary(ADD, random.pick(&["+", "-"]), part(random, kind), atom("INTERVAL '1 month 2 hours'")),
            2 => of(ATOM, random.pick(&["date_trunc('month', {})", "date_trunc('hour', {})"]), &[part(random, kind)]),
            3 => of(ATOM, "CAST({} AS TIMESTAMP)", &[part(random, Kind::Date)]),
            _ => {
                of(ATOM, random.pick(&["greatest({}, {})", "least({}, {})"]), &[part(random, kind), part(random, kind)])
            }
        },
        Kind::Flag => flag(random, depth - 1),
    }
}

fn random_number(random: &mut Random) -> Kind {
    random.pick(&[Kind::Integer, Kind::Decimal])
}

/// Integers are divided as decimals here, and by Postgres only when they are cast; to how many digits, it decides by what it
/// divides.
fn quotient(a: Expression, b: Expression) -> Expression {
    Expression {
        ours: format!("round({} / NULLIF({}, 0), 4)", a.clone().at(MULTIPLY).ours, b.ours),
        theirs: format!("round(CAST({} AS numeric(80, 24)) / NULLIF({}, 0), 4)", a.theirs, b.theirs),
        level: ATOM,
    }
}

fn flag(random: &mut Random, depth: usize) -> Expression {
    let part = |random: &mut Random, kind: Kind| expression(random, kind, depth);
    let kind = random.pick(&Kind::ALL);
    let not = random.pick(&["", "NOT "]);
    match random.below(14) {
        12 => {
            let operator = random.pick(&["=", "<>", "<", "<=", ">", ">="]);
            let span = random.pick(&[
                "INTERVAL '36 hours'",
                "INTERVAL '1 day'",
                "INTERVAL '1 month'",
                "INTERVAL '-20 minutes'",
            ]);
            let ends = [part(random, Kind::Moment).at(ADD), part(random, Kind::Moment).at(ADD + 1)];
            of(COMPARE, &format!("{{}} - {{}} {operator} {span}"), &ends)
        }
        13 => {
            let side = random.pick(&["l", "r"]);
            let form =
                random.pick(&["> 0.05", "= 0.1", "<> 2.50", "<= -2.25", "IN (0.1, 1e3)", "BETWEEN 0.1 AND 100.0"]);
            of(IS, &format!("{side}.x {form}"), &[])
        }
        0 | 1 => binary(AND, "AND", part(random, Kind::Flag), part(random, Kind::Flag)),
        2 | 3 => binary(OR, "OR", part(random, Kind::Flag), part(random, Kind::Flag)),
        4 => of(NOT, "NOT {}", &[part(random, Kind::Flag).at(NOT)]),
        5 => of(IS, &format!("{{}} IS {not}NULL"), &[part(random, kind).at(COMPARE)]),
        6 => {
            let value = random.pick(&["TRUE", "FALSE"]);
            of(IS, &format!("{{}} IS {not}{value}"), &[part(random, Kind::Flag).at(COMPARE)])
        }
        7 | 8 => {
            let sides = [part(random, kind).at(COMPARE), part(random, kind).at(COMPARE)];
            of(IS, &format!("{{}} IS {not}DISTINCT FROM {{}}"), &sides)
        }
        9 => {
            let kind = random.pick(&[Kind::Integer, Kind::Decimal, Kind::Text, Kind::Date]);
            let sides = [0; 3].map(|_| part(random, kind).at(OTHER));
            of(RANGE, &format!("{{}} {not}BETWEEN {{}} AND {{}}"), &sides)
        }
        10 if random.chance(50) => {
            let pattern = random.pick(&["'a%'", "'%b'", "'_'", "'%'", "'A_c%'"]);
            of(RANGE, &format!("{{}} {not}LIKE {pattern}"), &[part(random, Kind::Text).at(OTHER)])
        }
        10 => {
            let items = [part(random, kind).at(OTHER), part(random, kind), part(random, kind)];
            of(RANGE, &format!("{{}} {not}IN ({{}}, {{}})"), &items)
        }
        _ => {
            let operator = random.pick(&["=", "<>", "<", "<=", ">", ">="]);
            let other = if kind == Kind::Decimal { random_number(random) } else { kind };
            of(
                COMPARE,
                &format!("{{}} {operator} {{}}"),
                &[part(random, kind).at(RANGE), part(random, other).at(RANGE)],
            )
        }
    }
}

/// To the left first.
fn binary(level: u8, operator: &str, left: Expression, right: Expression) -> Expression {
    of(level, &format!("{{}} {operator} {{}}"), &[left.at(level), right.at(level + 1)])
}

fn leaf(random: &mut Random, kind: Kind) -> Expression {
    let side = random.pick(&["l", "r"]);
    atom(match kind {
        Kind::Integer if random.chance(6) => format!("{side}.big"),
        Kind::Integer if random.chance(60) => format!("{side}.{}", random.pick(&["i", "k"])),
        Kind::Integer => random.pick(&["0", "1", "2", "3", "10"]).to_owned(),
        Kind::Decimal if random.chance(6) => format!("{side}.wide"),
        Kind::Decimal if random.chance(70) => format!("{side}.{}", random.pick(&["a", "b"])),
        Kind::Decimal => random.pick(&["0.00", "0.02", "1.5", "100.00", "0.3333"]).to_owned(),
        Kind::Text if random.chance(80) => format!("{side}.{}", random.pick(&["t", "u"])),
        Kind::Text => random.pick(&["'a'", "'abc'", "'A'", "' '", "'7'"]).to_owned(),
        Kind::Flag if random.chance(80) => format!("{side}.f"),
        Kind::Flag => random.pick(&["TRUE", "FALSE"]).to_owned(),
        Kind::Date if random.chance(85) => format!("{side}.d"),
        Kind::Date => random.pick(&["DATE '2024-02-29'", "DATE '1969-12-31'"]).to_owned(),
        Kind::Moment if random.chance(85) => format!("{side}.s"),
        Kind::Moment => {
            random.pick(&["TIMESTAMP '2024-02-29 12:00:00'", "TIMESTAMP '1969-12-31 23:59:59.25'"]).to_owned()
        }
    })
}
