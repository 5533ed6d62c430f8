//! Frames, as a trace tells of them.

use crate::wire::{server_frame, site_frame};

/// One that the site sends.
pub(super) fn sent(frame: &site_frame::Frame) -> String {
    match frame {
        site_frame::Frame::Open(open) => format!("open, instance {:?}", &open.instance[..]),
        site_frame::Frame::Data(data) => format!(
            "data {} of epoch {} for byte {}, {} bytes, reaching {:?}{}",
            data.seq,
            data.epoch,
            data.base,
            data.length,
            data.reached.as_ref().and_then(|reached| reached.at.as_ref()).map(|at| (at.inode, at.offset)),
            data.gaps.iter().map(|gap| format!("; a gap: {gap}")).collect::<String>()
        ),
        site_frame::Frame::End(end) => format!("end at byte {}, {} gaps", end.base, end.gaps.len()),
        _ => "a frame of the connection".into(),
    }
}

/// One that the server sends.
pub(super) fn answered(frame: &server_frame::Frame) -> String {
    match frame {
        server_frame::Frame::Opened(opened) => format!(
            "opened, epoch {}, {} bytes stored, at {:?}{}",
            opened.epoch,
            opened.stored,
            opened.progress.as_ref().and_then(|at| at.at.as_ref()).map(|at| (at.inode, at.offset)),
            if opened.ended { ", ended before" } else { "" }
        ),
        server_frame::Frame::OpenRefused(refused) => format!("not opened: {:?}", refused.refused),
        server_frame::Frame::Ack(ack) => format!("data up to {} of epoch {} is stored", ack.seq, ack.epoch),
        server_frame::Frame::Closed(closed) => {
            format!(
                "closed, epoch {}, {:?}: {}, {} gaps",
                closed.epoch,
                closed.kind(),
                closed.reason,
                closed.gaps.len()
            )
        }
        server_frame::Frame::Stalled(stalled) => format!("stalled: {:?}", stalled.reason),
        _ => "a frame of the connection".into(),
    }
}
