//! From arguments and recipes to the engine's [`Job`]; all that is wrong with them is told at once.

use kalla_engine::job::{Compare, Filter, Job, Limits, ReadOptions, ResultFormat, Source, SourceUri};
use kalla_engine::location::Location;
use kalla_engine::{Error, Stores, Violation};
use kalla_worker::convert;

use crate::args::{self, Check, Format, Inspect, Reading, Reconcile};
use crate::compare;
use crate::recipe::{self, Recipe, RecipeSource};
use crate::sql::{self, Asked, Columns, Condition, Selected, Side, Written};

/// A job, and what is still to be done with it once the columns of its sources are known.
#[derive(Debug)]
pub struct Draft {
    pub job: Job,
    /// Columns that the recipe says the left and the right file have; empty when it says nothing.
    pub declared: [Vec<String>; 2],
    flags: Option<Flags>,
}

/// The conditions that the SQL is made of when there is no other SQL.
#[derive(Debug)]
pub struct Flags {
    conditions: Vec<Condition>,
    numbered: bool,
    compare: Option<Compare>,
    select: Vec<Selected>,
    written: Written,
    /// The names of the sources.
    aliases: [String; 2],
}

impl Draft {
    /// Whether the SQL lacks columns: those that `l.*` or `r.*` stand for, and those that are compared.
    pub fn wants_columns(&self) -> bool {
        let wants = |flags: &Flags| {
            flags.compare.is_some() || flags.select.iter().any(|selected| matches!(selected, Selected::All(_)))
        };
        self.flags.as_ref().is_some_and(wants)
    }

    /// Puts them in.
    pub fn expand(&mut self, columns: &Columns) {
        if let Some(flags) = &mut self.flags {
            flags.write(&self.job.left, &self.job.right, columns);
            self.job.match_sql.clone_from(&flags.written.sql);
        }
    }

    /// The job, and the flags that its SQL stands for.
    pub fn into_parts(self) -> (Job, Option<Flags>) {
        (self.job, self.flags)
    }
}

impl Flags {
    fn write(&mut self, left: &Source, right: &Source, columns: &Columns) {
        let asked = Asked {
            conditions: &self.conditions,
            numbered: self.numbered,
            left_key: &left.primary_key,
            right_key: &right.primary_key,
            compare: self.compare.as_ref(),
            select: &self.select,
        };
        self.written = sql::match_sql(&asked, columns);
    }

    /// What is wrong with the SQL, said of the flags: nobody has written its lines.
    pub fn told(&self, error: Error) -> Error {
        let Error::Invalid(found) = error else { return error };
        let keys = |field: &str| {
            let alias = field.strip_prefix("primary_keys.")?;
            let sides = self.aliases.iter().zip(["--left-key", "--right-key"]);
            sides.filter(|(own, _)| *own == alias).map(|(_, flag)| flag).next()
        };
        let told = |violation: Violation| match self.written.flag(&violation.message) {
            Some((flag, message)) if violation.field == "match_sql" => {
                let message = if message.contains("CAST(") {
                    format!("{message}, by --left-type or --right-type; --show-sql prints the SQL, for --sql")
                } else {
                    message
                };
                Violation::new(flag, message)
            }
            _ => match keys(&violation.field).or_else(|| compare_flag(&violation.field)) {
                Some(flag) => Violation::new(flag, violation.message),
                None => violation,
            },
        };
        Error::Invalid(found.into_iter().map(told).collect())
    }
}

fn compare_flag(field: &str) -> Option<&'static str> {
    let rest = field.strip_prefix("compare")?;
    Some(if rest.starts_with(".except") { "--except" } else { "--compare" })
}

/// The job of `kalla reconcile`.
pub fn reconcile(args: &Reconcile, stores: &Stores) -> Result<Draft, Error> {
    let mut wrong = Vec::new();
    let recipe = args.matching.recipe.as_deref().map(recipe::load).transpose()?;
    let uris = uris(&args.sources, recipe.as_ref(), "kalla reconcile", &mut wrong);
    let mut sides = sides(stores, &uris, recipe.as_ref(), &args.reading, &mut wrong);
    for (source, key) in sides.iter_mut().zip([&args.matching.left_key, &args.matching.right_key]) {
        if !key.is_empty() {
            source.primary_key = key.iter().map(|c| c.trim().to_owned()).collect();
        }
    }
    let extras = extras(stores, &args.matching.extra, recipe.as_ref(), &mut wrong);
    let output = stores.locate(&args.out).unwrap_or_else(|message| {
        wrong.push(Violation::new("--out", message));
        Location::Local(Default::default())
    });
    let [left, right] = sides;
    let (match_sql, compare, flags) = matching(&args.matching, recipe.as_ref(), &left, &right, &mut wrong);
    if !wrong.is_empty() {
        return Err(Error::Invalid(wrong));
    }
    let job = Job {
        run_id: run_id(),
        attempt: 1,
        payload_sha256: None,
        left,
        right,
        extras,
        match_sql,
        compare,
        output,
        keep_staged: args.keep_staged,
        sync: !args.no_sync,
        format: match args.format {
            Format::Parquet => ResultFormat::Parquet,
            Format::Csv => ResultFormat::Csv,
        },
        limits: limits(&args.limits),
    };
    Ok(Draft { job, declared: declared(recipe.as_ref()), flags })
}

/// The job of `kalla check`: it is never run, so it has no place for results.
pub fn check(args: &Check, stores: &Stores) -> Result<Draft, Error> {
    let mut wrong = Vec::new();
    let recipe = recipe::load(&args.recipe)?;
    let uris = uris(&args.sources, Some(&recipe), "kalla check", &mut wrong);
    let [left, right] = sides(stores, &uris, Some(&recipe), &args.reading, &mut wrong);
    let extras = extras(stores, &args.extra, Some(&recipe), &mut wrong);
    let compare = compared(&recipe, &mut wrong);
    if !wrong.is_empty() {
        return Err(Error::Invalid(wrong));
    }
    let job = Job {
        run_id: run_id(),
        attempt: 1,
        payload_sha256: None,
        left,
        right,
        extras,
        match_sql: recipe.match_sql.clone(),
        compare,
        output: Location::Local("kalla-out".into()),
        keep_staged: false,
        sync: true,
        format: ResultFormat::Parquet,
        limits: Limits::default(),
    };
    Ok(Draft { job, declared: declared(Some(&recipe)), flags: None })
}

/// The source of `kalla inspect`.
pub fn inspect(args: &Inspect, stores: &Stores) -> Result<Source, Error> {
    let mut wrong = Vec::new();
    let (options, filters) = reading(["--options", "--where"], &args.options, &args.types, &args.filters, &mut wrong);
    let uri = stores.source(&args.source).map_err(|message| wrong.push(Violation::new("SOURCE", message)));
    match uri {
        Ok(uri) if wrong.is_empty() => {
            Ok(Source { alias: alias(&uri), uri, filters, primary_key: Vec::new(), options })
        }
        _ => Err(Error::Invalid(wrong)),
    }
}

fn run_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

fn matching(
    args: &args::Matching,
    recipe: Option<&Recipe>,
    left: &Source,
    right: &Source,
    wrong: &mut Vec<Violation>,
) -> (String, Option<Compare>, Option<Flags>) {
    let (conditions, compare) = compare::asked(args).unwrap_or_else(|messages| {
        wrong.extend(messages.into_iter().map(|(flag, message)| Violation::new(flag, message)));
        (args.on.clone(), None)
    });
    if let Some(recipe) = recipe {
        return (recipe.match_sql.clone(), compare.or_else(|| compared(recipe, wrong)), None);
    }
    if let Some(text) = &args.sql {
        let sql = match text.strip_prefix('@') {
            None => text.clone(),
            Some(path) => recipe::read_text(path).unwrap_or_else(|e| {
                wrong.push(Violation::new("--sql", format!("{path}: {e}")));
                String::new()
            }),
        };
        return (sql, compare, None);
    }
    if args.on.is_empty() {
        wrong.push(Violation::new(
            "--on",
            "say which columns must be equal, such as `--on invoice_id=reference`; or give --sql or --recipe",
        ));
    }
    let mut flags = Flags {
        conditions,
        numbered: args.numbered,
        compare: compare.clone(),
        select: args.select.clone(),
        written: Written::default(),
        aliases: [left, right].map(|s| s.alias.clone()),
    };
    flags.write(left, right, &Columns::default());
    (flags.written.sql.clone(), compare, Some(flags))
}

/// The columns that a recipe compares.
fn compared(recipe: &Recipe, wrong: &mut Vec<Violation>) -> Option<Compare> {
    convert::compare(recipe.compare.as_ref()?).map_err(|found| wrong.extend(found)).ok()
}

/// The texts of the two sources: from the command line, from the recipe, or from both.
fn uris(given: &[String], recipe: Option<&Recipe>, command: &str, wrong: &mut Vec<Violation>) -> [String; 2] {
    let from_recipe = recipe_sides(recipe).map(|side| side.and_then(|s| s.uri.clone()).filter(|uri| !uri.is_empty()));
    let open = from_recipe.iter().filter(|uri| uri.is_none()).count();
    let mut given = given.iter().cloned();
    match (given.len(), recipe) {
        (2, _) => [given.next().unwrap_or_default(), given.next().unwrap_or_default()],
        (n, Some(_)) if n == open => from_recipe.map(|uri| uri.or_else(|| given.next()).unwrap_or_default()),
        (n, Some(_)) => {
            let message = match (open, n) {
                (1, _) => format!("the recipe leaves one source open: give its file, `{command} … FILE`"),
                (2, _) => format!("the recipe leaves both sources open: give their files, `{command} … LEFT RIGHT`"),
                _ => "the recipe names both sources: give none, or two that replace them".to_owned(),
            };
            wrong.push(Violation::new("sources", message));
            from_recipe.map(Option::unwrap_or_default)
        }
        (n, None) => {
            let missing = if n == 0 { "the two sources are missing" } else { "the right source is missing" };
            wrong.push(Violation::new("sources", format!("{missing}: `{command} LEFT RIGHT …`")));
            [given.next().unwrap_or_default(), String::new()]
        }
    }
}

fn recipe_sides(recipe: Option<&Recipe>) -> [Option<&RecipeSource>; 2] {
    let sources = recipe.and_then(|r| r.sources.as_ref());
    [sources.and_then(|s| s.left.as_ref()), sources.and_then(|s| s.right.as_ref())]
}

fn declared(recipe: Option<&Recipe>) -> [Vec<String>; 2] {
    recipe_sides(recipe).map(|side| side.map(|s| s.schema.clone()).unwrap_or_default())
}

fn sides(
    stores: &Stores,
    uris: &[String; 2],
    recipe: Option<&Recipe>,
    args: &Reading,
    wrong: &mut Vec<Violation>,
) -> [Source; 2] {
    let from_recipe = recipe_sides(recipe);
    let [left, right] = [0, 1].map(|i| {
        let side = if i == 0 { Side::Left } else { Side::Right };
        source(stores, side, &uris[i], from_recipe[i], args, wrong)
    });
    named_apart(left, right)
}

/// Aliases that come from file names may be the same, or mean the other side.
fn named_apart(mut left: Source, mut right: Source) -> [Source; 2] {
    for (source, reserved) in [(&mut left, "left_src"), (&mut right, "right_src")] {
        if matches!(source.alias.as_str(), "left_src" | "right_src") {
            source.alias = reserved.to_owned();
        }
    }
    if left.alias == right.alias {
        left.alias.push_str("_left");
        right.alias.push_str("_right");
    }
    [left, right]
}

fn source(
    stores: &Stores,
    side: Side,
    uri: &str,
    recipe: Option<&RecipeSource>,
    args: &Reading,
    wrong: &mut Vec<Violation>,
) -> Source {
    let (word, names, lists, types, filters) = match side {
        Side::Left => {
            ("left", ["--left-options", "--left-where"], &args.left_options, &args.left_type, &args.left_where)
        }
        Side::Right => {
            ("right", ["--right-options", "--right-where"], &args.right_options, &args.right_type, &args.right_where)
        }
    };
    let (mut options, mut filters) = reading(names, lists, types, filters, wrong);
    let mut primary_key = Vec::new();
    if let Some(recipe) = recipe {
        let (base, mut own) = of_recipe(&format!("sources.{word}"), recipe, wrong);
        options = overlay(base, options);
        own.append(&mut filters);
        filters = own;
        primary_key = recipe.primary_key.clone();
    }
    // A missing source has been told already.
    let parsed = if uri.is_empty() { Err(None) } else { stores.source(uri).map_err(Some) };
    let uri = parsed.unwrap_or_else(|message| {
        wrong.extend(message.map(|m| Violation::new(format!("{word} source"), m)));
        SourceUri::File(Location::Local(Default::default()))
    });
    let alias = recipe.map(|r| r.alias.clone()).filter(|a| !a.is_empty()).unwrap_or_else(|| alias(&uri));
    Source { alias, uri, filters, primary_key, options }
}

fn of_recipe(field: &str, source: &RecipeSource, wrong: &mut Vec<Violation>) -> (ReadOptions, Vec<Filter>) {
    let options = convert::options(source.options.as_ref()).unwrap_or_else(|messages| {
        wrong.extend(messages.into_iter().map(|m| Violation::new(format!("{field}.options"), m)));
        ReadOptions::default()
    });
    let filters = convert::filters(&source.filters).unwrap_or_else(|messages| {
        wrong.extend(messages.into_iter().map(|(i, m)| Violation::new(format!("{field}.filters[{i}]"), m)));
        Vec::new()
    });
    (options, filters)
}

/// `top` where it says something, `base` elsewhere.
fn overlay(base: ReadOptions, top: ReadOptions) -> ReadOptions {
    let mut types = base.types;
    types.extend(top.types);
    ReadOptions {
        format: top.format.or(base.format),
        delimiter: top.delimiter.or(base.delimiter),
        quote: top.quote.or(base.quote),
        header: top.header.or(base.header),
        encoding: top.encoding.or(base.encoding),
        trim: top.trim || base.trim,
        nulls: if top.nulls.is_empty() { base.nulls } else { top.nulls },
        types,
    }
}

fn reading(
    [options_flag, where_flag]: [&str; 2],
    lists: &[String],
    types: &[String],
    filters: &[String],
    wrong: &mut Vec<Violation>,
) -> (ReadOptions, Vec<Filter>) {
    let options = crate::reading::options(lists, types).unwrap_or_else(|messages| {
        wrong.extend(messages.into_iter().map(|m| Violation::new(options_flag, m)));
        ReadOptions::default()
    });
    let mut read = Vec::new();
    for text in filters {
        match crate::reading::filter(text) {
            Ok(filter) => read.push(filter),
            Err(message) => wrong.push(Violation::new(where_flag, message)),
        }
    }
    (options, read)
}

fn extras(stores: &Stores, given: &[String], recipe: Option<&Recipe>, wrong: &mut Vec<Violation>) -> Vec<Source> {
    let mut extras: Vec<Source> = Vec::new();
    let mut given: Vec<(String, SourceUri)> = given
        .iter()
        .filter_map(|text| {
            let read = text
                .split_once('=')
                .filter(|(name, uri)| !name.is_empty() && !uri.is_empty())
                .ok_or_else(|| format!("`{text}`: write NAME=SOURCE, such as fx=rates.csv"))
                .and_then(|(name, uri)| Ok((name.trim().to_owned(), stores.source(uri)?)));
            read.map_err(|message| wrong.push(Violation::new("--extra", message))).ok()
        })
        .collect();
    for (i, source) in recipe.and_then(|r| r.sources.as_ref()).map_or(&[][..], |s| &s.extras).iter().enumerate() {
        let field = format!("sources.extras[{i}]");
        let (options, filters) = of_recipe(&field, source, wrong);
        let uri = match given.iter().position(|(name, _)| *name == source.alias) {
            Some(at) => Ok(given.remove(at).1),
            None => match source.uri.as_deref() {
                Some(uri) if !uri.is_empty() => stores.source(uri),
                _ => Err(format!("the recipe leaves it open: give its file, `--extra {}=FILE`", source.alias)),
            },
        };
        match uri {
            Ok(uri) => {
                let primary_key = source.primary_key.clone();
                extras.push(Source { alias: source.alias.clone(), uri, filters, primary_key, options });
            }
            Err(message) => wrong.push(Violation::new(field, message)),
        }
    }
    extras.extend(given.into_iter().map(|(alias, uri)| Source {
        alias,
        uri,
        filters: Vec::new(),
        primary_key: Vec::new(),
        options: ReadOptions::default(),
    }));
    extras
}

fn limits(args: &args::Limits) -> Limits {
    let usual = Limits::default();
    Limits {
        memory: args.memory.unwrap_or(usual.memory),
        threads: args.threads.unwrap_or(usual.threads),
        max_rejected: args.max_rejects.unwrap_or(usual.max_rejected),
        max_matched: args.max_matches.unwrap_or(usual.max_matched),
        timeout: args.timeout,
        spill_dir: args.spill_dir.clone(),
    }
}

/// The name of the file without its extension, or of the table, as a plain SQL identifier.
fn alias(uri: &SourceUri) -> String {
    let name = match uri {
        SourceUri::Postgres(table) => table.table.clone(),
        SourceUri::File(Location::Local(path)) => {
            path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default()
        }
        SourceUri::File(Location::Object { key, .. }) => {
            let name = key.rsplit('/').next().unwrap_or_default();
            name.rsplit_once('.').map_or(name, |(stem, _)| stem).to_owned()
        }
    };
    let word: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect();
    match word.bytes().next() {
        None => "source".to_owned(),
        Some(first) if first.is_ascii_digit() => format!("_{word}"),
        Some(_) => word,
    }
}

#[cfg(test)]
mod tests;
