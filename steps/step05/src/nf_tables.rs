//! The names of what is sent to nf_tables, from <linux/netfilter.h>,
//! <linux/netfilter/nfnetlink.h> and <linux/netfilter/nf_tables.h>. libc has
//! some of them, as an int: a message has u16 and u32.

/// Which part of netfilter a message is for.
pub(crate) const NFNL_SUBSYS_NFTABLES: u16 = 10;
const NFTABLES: u16 = NFNL_SUBSYS_NFTABLES << 8;

// Kinds of message, with the part of netfilter in the upper byte.
pub(crate) const NFNL_MSG_BATCH_BEGIN: u16 = 0x10;
pub(crate) const NFNL_MSG_BATCH_END: u16 = 0x11;
pub(crate) const NFT_MSG_NEWTABLE: u16 = NFTABLES;
pub(crate) const NFT_MSG_DELTABLE: u16 = NFTABLES | 2;
pub(crate) const NFT_MSG_NEWCHAIN: u16 = NFTABLES | 3;
pub(crate) const NFT_MSG_GETCHAIN: u16 = NFTABLES | 4;
pub(crate) const NFT_MSG_NEWRULE: u16 = NFTABLES | 6;

/// The family of a table: what sort of packets it sees.
pub(crate) const NFPROTO_IPV4: u8 = libc::NFPROTO_IPV4 as u8;

// The hook at which a chain is called, and what becomes of the packet.
pub(crate) const NF_INET_PRE_ROUTING: u32 = libc::NF_INET_PRE_ROUTING as u32;
pub(crate) const NF_INET_FORWARD: u32 = libc::NF_INET_FORWARD as u32;
pub(crate) const NF_INET_POST_ROUTING: u32 = libc::NF_INET_POST_ROUTING as u32;
pub(crate) const NF_DROP: u32 = libc::NF_DROP as u32;
// Among the chains of one hook: what `nft` calls `raw`, `filter`, `srcnat`.
pub(crate) const NF_IP_PRI_RAW: i32 = -300;
pub(crate) const NF_IP_PRI_FILTER: i32 = 0;
pub(crate) const NF_IP_PRI_NAT_SRC: i32 = 100;

// Attributes of a table, a chain and its hook, and a rule.
pub(crate) const NFTA_TABLE_NAME: u16 = 1;
pub(crate) const NFTA_TABLE_FLAGS: u16 = 2;
/// The table goes with the socket that made it.
pub(crate) const NFT_TABLE_F_OWNER: u32 = 2;
pub(crate) const NFTA_CHAIN_TABLE: u16 = 1;
pub(crate) const NFTA_CHAIN_NAME: u16 = 3;
pub(crate) const NFTA_CHAIN_HOOK: u16 = 4;
pub(crate) const NFTA_CHAIN_POLICY: u16 = 5;
pub(crate) const NFTA_CHAIN_TYPE: u16 = 7;
pub(crate) const NFTA_HOOK_HOOKNUM: u16 = 1;
pub(crate) const NFTA_HOOK_PRIORITY: u16 = 2;
pub(crate) const NFTA_RULE_TABLE: u16 = 1;
pub(crate) const NFTA_RULE_CHAIN: u16 = 2;
pub(crate) const NFTA_RULE_EXPRESSIONS: u16 = 4;

// A list of expressions: each is an element with a name and its own data.
pub(crate) const NFTA_LIST_ELEM: u16 = 1;
pub(crate) const NFTA_EXPR_NAME: u16 = 1;
pub(crate) const NFTA_EXPR_DATA: u16 = 2;

// The expression `payload` loads bytes of the packet into a register.
pub(crate) const NFTA_PAYLOAD_DREG: u16 = 1;
pub(crate) const NFTA_PAYLOAD_BASE: u16 = 2;
pub(crate) const NFTA_PAYLOAD_OFFSET: u16 = 3;
pub(crate) const NFTA_PAYLOAD_LEN: u16 = 4;
pub(crate) const NFT_REG_1: u32 = 1;
pub(crate) const NFT_PAYLOAD_NETWORK_HEADER: u32 = 1;
/// Where the source address lies in the header of an IPv4 packet (RFC 791).
pub(crate) const SOURCE_OFFSET: u32 = 12;
pub(crate) const SOURCE_LENGTH: u32 = 4;

// The expression `cmp` compares a register.
pub(crate) const NFTA_CMP_SREG: u16 = 1;
pub(crate) const NFTA_CMP_OP: u16 = 2;
pub(crate) const NFTA_CMP_DATA: u16 = 3;
pub(crate) const NFT_CMP_EQ: u32 = 0;
pub(crate) const NFT_CMP_NEQ: u32 = 1;
pub(crate) const NFTA_DATA_VALUE: u16 = 1;

// The expression `meta` loads what is no part of the packet: the name of the
// interface by which it came, or by which it is to go.
pub(crate) const NFTA_META_DREG: u16 = 1;
pub(crate) const NFTA_META_KEY: u16 = 2;
pub(crate) const NFT_META_IIFNAME: u32 = 6;
pub(crate) const NFT_META_OIFNAME: u32 = 7;

// The expression `ct` loads what connection tracking says, `bitwise` changes
// a register. The states are those of <linux/netfilter/nf_conntrack_common.h>,
// NF_CT_STATE_BIT.
pub(crate) const NFTA_CT_DREG: u16 = 1;
pub(crate) const NFTA_CT_KEY: u16 = 2;
pub(crate) const NFT_CT_STATE: u32 = 0;
pub(crate) const NF_CT_STATE_ESTABLISHED: u32 = 1 << 1;
pub(crate) const NF_CT_STATE_RELATED: u32 = 1 << 2;
pub(crate) const NFTA_BITWISE_SREG: u16 = 1;
pub(crate) const NFTA_BITWISE_DREG: u16 = 2;
pub(crate) const NFTA_BITWISE_LEN: u16 = 3;
pub(crate) const NFTA_BITWISE_MASK: u16 = 4;
pub(crate) const NFTA_BITWISE_XOR: u16 = 5;

// The expression `immediate` is an answer.
pub(crate) const NFTA_IMMEDIATE_DREG: u16 = 1;
pub(crate) const NFTA_IMMEDIATE_DATA: u16 = 2;
pub(crate) const NFT_REG_VERDICT: u32 = 0;
pub(crate) const NFTA_DATA_VERDICT: u16 = 2;
pub(crate) const NFTA_VERDICT_CODE: u16 = 1;
