//! What is sent to nf_tables: a table, its chains, and rules made of
//! expressions in a row. Each loads something into a register or compares it;
//! a comparison that fails ends the rule.

use crate::netlink::{ACK, CREATE, Request};
use crate::nf_tables::*;

/// struct nfgenmsg: family, version 0, and for a batch its subsystem.
pub(crate) fn message(kind: u16, flags: u16, subsystem: u16) -> Request {
    let [high, low] = subsystem.to_be_bytes();
    let family = if subsystem == 0 { NFPROTO_IPV4 } else { 0 };
    Request::new(kind, flags, &[family, 0, high, low])
}

/// A table that goes with the socket that it is sent by.
pub(crate) fn table(name: &str) -> Request {
    message(NFT_MSG_NEWTABLE, CREATE, 0)
        .text(NFTA_TABLE_NAME, name)
        .number(NFTA_TABLE_FLAGS, NFT_TABLE_F_OWNER)
}

/// Its end, with all that is in it.
pub(crate) fn delete_table(name: &str) -> Request {
    message(NFT_MSG_DELTABLE, ACK, 0).text(NFTA_TABLE_NAME, name)
}

/// What lies between these two messages is one transaction: all or nothing.
pub(crate) fn batch(requests: Vec<Request>) -> Vec<Request> {
    let edge = |kind| message(kind, 0, NFNL_SUBSYS_NFTABLES);
    let (begin, end) = (NFNL_MSG_BATCH_BEGIN, NFNL_MSG_BATCH_END);
    [vec![edge(begin)], requests, vec![edge(end)]].concat()
}

/// A chain of this kind, which the kernel asks at `hook`; what comes to its
/// end is accepted.
pub(crate) fn chain(
    table: &str,
    name: &str,
    kind: &str,
    hook: u32,
    priority: i32,
) -> Request {
    message(NFT_MSG_NEWCHAIN, CREATE, 0)
        .text(NFTA_CHAIN_TABLE, table)
        .text(NFTA_CHAIN_NAME, name)
        .nested(NFTA_CHAIN_HOOK, |place| {
            place
                .number(NFTA_HOOK_HOOKNUM, hook)
                .number(NFTA_HOOK_PRIORITY, priority as u32)
        })
        .text(NFTA_CHAIN_TYPE, kind)
}

/// A rule at the end of a chain.
pub(crate) fn rule(
    table: &str,
    chain: &str,
    fill: impl FnOnce(Request) -> Request,
) -> Request {
    message(NFT_MSG_NEWRULE, CREATE | ACK, 0)
        .text(NFTA_RULE_TABLE, table)
        .text(NFTA_RULE_CHAIN, chain)
        .nested(NFTA_RULE_EXPRESSIONS, fill)
}

impl Request {
    /// nf_tables wants its numbers in network order.
    pub(crate) fn number(self, kind: u16, number: u32) -> Request {
        self.attribute(kind, &number.to_be_bytes())
    }

    pub(crate) fn expression(
        self,
        name: &str,
        fill: impl FnOnce(Request) -> Request,
    ) -> Request {
        self.nested(NFTA_LIST_ELEM, |element| {
            element.text(NFTA_EXPR_NAME, name).nested(NFTA_EXPR_DATA, fill)
        })
    }

    /// Loads what the kernel knows of a packet beside its bytes.
    pub(crate) fn load_meta(self, key: u32) -> Request {
        self.expression("meta", |meta| {
            meta.number(NFTA_META_DREG, NFT_REG_1).number(NFTA_META_KEY, key)
        })
    }

    /// Loads a part of the packet's IPv4 header.
    pub(crate) fn load_header(self, offset: u32, length: u32) -> Request {
        self.expression("payload", |load| {
            load.number(NFTA_PAYLOAD_DREG, NFT_REG_1)
                .number(NFTA_PAYLOAD_BASE, NFT_PAYLOAD_NETWORK_HEADER)
                .number(NFTA_PAYLOAD_OFFSET, offset)
                .number(NFTA_PAYLOAD_LEN, length)
        })
    }

    /// Loads what the packet is to its connection: one bit for each answer.
    pub(crate) fn load_connection_state(self) -> Request {
        self.expression("ct", |ct| {
            ct.number(NFTA_CT_DREG, NFT_REG_1)
                .number(NFTA_CT_KEY, NFT_CT_STATE)
        })
    }

    /// Leaves only these bits in the register, in which a number of the
    /// kernel's lies in the machine's own order.
    pub(crate) fn keep_bits(self, bits: u32) -> Request {
        let four = |request: Request, kind, number: u32| {
            request.nested(kind, |data| {
                data.attribute(NFTA_DATA_VALUE, &number.to_ne_bytes())
            })
        };
        self.expression("bitwise", |bitwise| {
            let bitwise = bitwise
                .number(NFTA_BITWISE_SREG, NFT_REG_1)
                .number(NFTA_BITWISE_DREG, NFT_REG_1)
                .number(NFTA_BITWISE_LEN, size_of::<u32>() as u32);
            let bitwise = four(bitwise, NFTA_BITWISE_MASK, bits);
            four(bitwise, NFTA_BITWISE_XOR, 0)
        })
    }

    /// Goes on if what was loaded is, or is not, this.
    pub(crate) fn compare(self, operation: u32, value: &[u8]) -> Request {
        self.expression("cmp", |compare| {
            compare
                .number(NFTA_CMP_SREG, NFT_REG_1)
                .number(NFTA_CMP_OP, operation)
                .nested(NFTA_CMP_DATA, |data| {
                    data.attribute(NFTA_DATA_VALUE, value)
                })
        })
    }

    /// The packet's end.
    pub(crate) fn drop(self) -> Request {
        self.expression("immediate", |verdict| {
            verdict.number(NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT).nested(
                NFTA_IMMEDIATE_DATA,
                |data| {
                    data.nested(NFTA_DATA_VERDICT, |verdict| {
                        verdict.number(NFTA_VERDICT_CODE, NF_DROP)
                    })
                },
            )
        })
    }
}
