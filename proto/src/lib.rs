//! The contract: messages of `kalla.v1`, generated from `kalla/v1/*.proto`, and their JSON form.
//!
//! Types here are generated and dumb: they say what a message holds, not whether it makes sense. `job.proto` tells the
//! rules of the JSON form; [`json`] reads it, refusing or reporting unknown fields.

pub mod json;
mod problem;
mod redacted;

/// The messages.
#[allow(
    clippy::large_enum_variant,
    unused_qualifications,
    reason = "generated: an event is made once, sent and dropped"
)]
pub mod v1 {
    include!(concat!(env!("OUT_DIR"), "/kalla.v1.rs"));
    include!(concat!(env!("OUT_DIR"), "/words.rs"));
}

impl v1::RunState {
    /// Whether a run in this state is over.
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}

impl v1::ComparedColumn {
    /// What stands for every column that has one name on both sides.
    pub const ALL: &str = "*";
}

/// Version of the contract: one more with every field of a job payload that is added, so that a worker can tell fields of a later
/// version from misspelled ones.
pub const CONTRACT_VERSION: u32 = 2;

/// The messages described for programs: an encoded `google.protobuf.FileDescriptorSet`.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
