//! Who asks. Every request gets its actor here, and nowhere else.

/// Whoever does something.
#[derive(Debug, Clone)]
pub struct Actor {
    name: String,
}

impl Actor {
    /// The person at this machine: a gateway that listens on a loopback address, or whose operator wants no sign-in.
    pub fn local() -> Self {
        Self { name: "local".to_owned() }
    }

    /// As events tell it.
    pub fn name(&self) -> &str {
        &self.name
    }
}
