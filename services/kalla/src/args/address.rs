//! Addresses among the arguments. What is wrong with one is told without it: there may be a password in it.

use std::ffi::OsStr;
use std::marker::PhantomData;
use std::str::FromStr;

use clap::builder::TypedValueParser;
use clap::error::ErrorKind;
use clap::{Arg, Command, Error};

/// Reads a `T`, and never repeats what it cannot read.
pub fn unrepeated<T>() -> Unrepeated<T> {
    Unrepeated(PhantomData)
}

pub struct Unrepeated<T>(PhantomData<fn() -> T>);

impl<T> Clone for Unrepeated<T> {
    fn clone(&self) -> Self {
        unrepeated()
    }
}

impl<T: FromStr<Err = String> + Clone + Send + Sync + 'static> TypedValueParser for Unrepeated<T> {
    type Value = T;

    fn parse_ref(&self, command: &Command, argument: Option<&Arg>, value: &OsStr) -> Result<T, Error> {
        let read = value.to_str().ok_or_else(|| "it is not UTF-8".to_owned()).and_then(str::parse);
        read.map_err(|message| {
            let variable = argument.and_then(Arg::get_env).map(|name| format!("{}: ", name.to_string_lossy()));
            let message = format!("{}{message}", variable.unwrap_or_default());
            command.clone().error(ErrorKind::ValueValidation, message)
        })
    }
}
