//! `Debug` of the messages that carry secrets (a callback token, a password in a URI): only what may stand in a log.

use std::fmt;

use crate::v1::{JobPayload, RecipeSource, RegisteredSource, Source, SourceOverride};

impl fmt::Debug for JobPayload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobPayload")
            .field("run_id", &self.run_id)
            .field("attempt", &self.attempt)
            .field("sources", &self.sources)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("alias", &self.alias).finish_non_exhaustive()
    }
}

impl fmt::Debug for RecipeSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecipeSource").field("alias", &self.alias).field("type", &self.r#type()).finish_non_exhaustive()
    }
}

impl fmt::Debug for RegisteredSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegisteredSource").field("alias", &self.alias).finish_non_exhaustive()
    }
}

impl fmt::Debug for SourceOverride {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SourceOverride").finish_non_exhaustive()
    }
}
