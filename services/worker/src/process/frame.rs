//! Messages over a pipe: a length in four bytes, the highest first, and the message.

use std::io::{self, Read, Write};

use bytes::BytesMut;
use futures::StreamExt as _;
use prost::Message;
use tokio::io::AsyncRead;
use tokio_util::codec::{FramedRead, LengthDelimitedCodec};

/// More than the sample and the profile of the widest source.
const LARGEST: usize = 256 << 20;

/// Where frames arrive. Nothing is lost when waiting for the next one is given up.
pub struct Frames<R>(FramedRead<R, LengthDelimitedCodec>);

impl<R: AsyncRead + Unpin> Frames<R> {
    pub fn new(pipe: R) -> Self {
        let codec = LengthDelimitedCodec::builder().max_frame_length(LARGEST).new_codec();
        Self(FramedRead::new(pipe, codec))
    }

    /// `None` at the end of the pipe, which is between two frames.
    pub async fn next<M: Message + Default>(&mut self) -> io::Result<Option<M>> {
        let frame: Option<BytesMut> = self.0.next().await.transpose()?;
        frame.map(|frame| M::decode(frame).map_err(io::Error::from)).transpose()
    }
}

/// A message with its length before it.
pub fn encode(message: &impl Message) -> io::Result<Vec<u8>> {
    let length = message.encoded_len();
    let head = u32::try_from(length).ok().filter(|_| length <= LARGEST);
    let head = head.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the message is too large for a pipe"))?;
    let mut frame = Vec::with_capacity(4 + length);
    frame.extend(head.to_be_bytes());
    message.encode(&mut frame).map_err(io::Error::other)?;
    Ok(frame)
}

pub fn write(pipe: &mut impl Write, message: &impl Message) -> io::Result<()> {
    pipe.write_all(&encode(message)?)?;
    pipe.flush()
}

/// `None` when the pipe ends before the first byte.
pub fn read<M: Message + Default>(pipe: &mut impl Read) -> io::Result<Option<M>> {
    let mut head = [0; 4];
    match pipe.read_exact(&mut head) {
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        done => done?,
    }
    let length = usize::try_from(u32::from_be_bytes(head)).map_err(io::Error::other)?;
    if length > LARGEST {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the message is too large for a pipe"));
    }
    let mut frame = vec![0; length];
    pipe.read_exact(&mut frame)?;
    M::decode(frame.as_slice()).map(Some).map_err(io::Error::from)
}

#[cfg(test)]
mod tests {
    use kalla_proto::v1::{JobEvent, Report, report};

    use super::*;

    #[tokio::test]
    async fn what_is_written_is_read() {
        let event = JobEvent { run_id: "a".to_owned(), seq: 3, ..Default::default() };
        let report = Report { report: Some(report::Report::Event(event)) };
        let mut pipe = Vec::new();
        write(&mut pipe, &report).unwrap();
        write(&mut pipe, &Report::default()).unwrap();
        let mut frames = Frames::new(pipe.as_slice());
        assert_eq!(frames.next::<Report>().await.unwrap().as_ref(), Some(&report));
        assert_eq!(frames.next::<Report>().await.unwrap(), Some(Report::default()));
        assert_eq!(frames.next::<Report>().await.unwrap(), None);
        let mut rest = pipe.as_slice();
        assert_eq!(read::<Report>(&mut rest).unwrap(), Some(report));
        assert_eq!(read::<Report>(&mut rest).unwrap(), Some(Report::default()));
        assert_eq!(read::<Report>(&mut rest).unwrap(), None);
    }

    #[tokio::test]
    async fn a_pipe_that_breaks_is_an_error() {
        let mut pipe = Vec::new();
        write(&mut pipe, &JobEvent { run_id: "a".to_owned(), ..Default::default() }).unwrap();
        for cut in [5, pipe.len() - 1] {
            assert!(Frames::new(&pipe[..cut]).next::<JobEvent>().await.is_err(), "{cut}");
            assert!(read::<JobEvent>(&mut &pipe[..cut]).is_err(), "{cut}");
        }
        assert!(read::<JobEvent>(&mut [0xff; 8].as_slice()).is_err());
    }
}
