//! The contract: messages of `kalla.v1`, generated from `kalla/v1/*.proto`, and their JSON form.
//!
//! Types here are generated and dumb: they say what a message holds, not whether it makes sense. `job.proto` tells the
//! rules of the JSON form; [`json`] reads it, refusing or reporting unknown fields.

pub mod json;
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

/// The messages described for programs: an encoded `google.protobuf.FileDescriptorSet`.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

impl v1::Problem {
    /// The media type of a problem as the body of an HTTP answer (RFC 9457).
    pub const CONTENT_TYPE: &'static str = "application/problem+json";
}
