//! Which packets the kernel hands over: classic BPF programs (socket(7), SO_ATTACH_FILTER).
//!
//! A scanner on a busy link must not be woken for other people's traffic.

use socket2::SockFilter;

// Opcodes of classic BPF, as linux/filter.h and bpf_common.h compose them.
const LD_WORD: u16 = 0x20;
const LD_HALF: u16 = 0x28;
const LD_BYTE: u16 = 0x30;
const LD_HALF_INDEXED: u16 = 0x48;
const LD_BYTE_INDEXED: u16 = 0x50;
const LDX_HEADER_LENGTH: u16 = 0xb1;
const LD_LENGTH: u16 = 0x80;
const JUMP_EQUAL: u16 = 0x15;
const JUMP_GREATER: u16 = 0x25;
const JUMP_SET: u16 = 0x45;
const COPY_TO_INDEX: u16 = 0x07;
const JUMP_EQUAL_TO_INDEX: u16 = 0x1d;
const RETURN: u16 = 0x06;

/// Ancillary data "a VLAN tag was stripped from this frame" (SKF_AD_OFF + SKF_AD_VLAN_TAG_PRESENT).
const VLAN_TAG_PRESENT: u32 = (-0x1000_i32 + 48).cast_unsigned();

const ETHERNET: u32 = 14;
const ALL: u32 = 0x0004_0000;
const NONE: u32 = 0;

const fn step(code: u16, jt: u8, jf: u8, k: u32) -> SockFilter {
    SockFilter::new(code, jt, jf, k)
}

/// Frames that can be replies to a sweep: ARP, ICMP echo replies and unreachables, and unfragmented
/// UDP to `udp_port`. Frames of a VLAN that only passes by on this interface are not.
pub const fn replies(udp_port: u16) -> [SockFilter; 18] {
    [
        step(LD_WORD, 0, 0, VLAN_TAG_PRESENT),
        step(JUMP_EQUAL, 0, 15, 0),
        step(LD_HALF, 0, 0, 12),
        step(JUMP_EQUAL, 12, 0, 0x0806),
        step(JUMP_EQUAL, 0, 12, 0x0800),
        // Fragments are put together by the kernel and come by the UDP socket.
        step(LD_HALF, 0, 0, ETHERNET + 6),
        step(JUMP_SET, 10, 0, 0x3fff),
        step(LDX_HEADER_LENGTH, 0, 0, ETHERNET),
        step(LD_BYTE, 0, 0, ETHERNET + 9),
        step(JUMP_EQUAL, 3, 0, 1),
        step(JUMP_EQUAL, 0, 6, 17),
        step(LD_HALF_INDEXED, 0, 0, ETHERNET + 2),
        step(JUMP_EQUAL, 3, 4, udp_port as u32),
        step(LD_BYTE_INDEXED, 0, 0, ETHERNET),
        step(JUMP_EQUAL, 1, 0, 0),
        step(JUMP_EQUAL, 0, 1, 3),
        step(RETURN, 0, 0, ALL),
        step(RETURN, 0, 0, NONE),
    ]
}

/// ARP announcements: the sender's address is the target's, and there is one (RFC 5227 section 3).
pub const fn announcements() -> [SockFilter; 11] {
    [
        step(LD_WORD, 0, 0, VLAN_TAG_PRESENT),
        step(JUMP_EQUAL, 0, 8, 0),
        step(LD_HALF, 0, 0, 12),
        step(JUMP_EQUAL, 0, 6, 0x0806),
        step(LD_WORD, 0, 0, ETHERNET + 14),
        step(JUMP_EQUAL, 4, 0, 0),
        step(COPY_TO_INDEX, 0, 0, 0),
        step(LD_WORD, 0, 0, ETHERNET + 24),
        step(JUMP_EQUAL_TO_INDEX, 0, 1, 0),
        step(RETURN, 0, 0, ALL),
        step(RETURN, 0, 0, NONE),
    ]
}

/// Datagrams that may have come in fragments: those longer than what every IPv4 link carries in one
/// piece (RFC 791: 576 octets, less the shortest header). The shorter ones were read as frames.
pub const fn perhaps_fragmented() -> [SockFilter; 4] {
    [step(LD_LENGTH, 0, 0, 0), step(JUMP_GREATER, 0, 1, 576 - 20), step(RETURN, 0, 0, ALL), step(RETURN, 0, 0, NONE)]
}

/// ICMP echo replies, for a raw socket, whose packets begin with the IP header. Errors come by its
/// error queue.
pub const fn echo_replies() -> [SockFilter; 5] {
    [
        step(LDX_HEADER_LENGTH, 0, 0, 0),
        step(LD_BYTE_INDEXED, 0, 0, 0),
        step(JUMP_EQUAL, 0, 1, 0),
        step(RETURN, 0, 0, ALL),
        step(RETURN, 0, 0, NONE),
    ]
}

/// Everything.
pub const fn everything() -> [SockFilter; 1] {
    [step(RETURN, 0, 0, ALL)]
}

/// Nothing at all: the program of a socket that waits for its next sweep.
pub const fn nothing() -> [SockFilter; 1] {
    [step(RETURN, 0, 0, NONE)]
}
