//! What the kernel has answered, and the mistake that is likely behind it: for
//! each of the requests another one.

use super::super::report::Causes;

/// Without a cable, and `bring_up` is not known to work.
pub const UP: &Causes = &[
    (&["overflowed its stack"], "`bring_up` calls itself, without an end"),
    (
        &["find the interface"],
        "`bring_up_loopback`: the loopback interface is called lo",
    ),
    (
        &["EEXIST"],
        "`bring_up`: CREATE asks for a new interface, and one of that name is \
         there. ACK alone changes it: rtnetlink(7)",
    ),
    (
        &["ENODEV"],
        "`bring_up` does not say which interface: the first argument of \
         `link` is its index, `index_of(name)?`",
    ),
    (
        &["EINVAL"],
        "`bring_up`: the body of RTM_NEWLINK is all that `link(index, flags)` \
         makes, and nothing else",
    ),
    (
        &["EOPNOTSUPP"],
        "`bring_up`: to change an interface is a request of kind RTM_NEWLINK \
         (and a socket of SockProtocol::NetlinkRoute takes it)",
    ),
];

/// The same, where `bring_up` has switched on the machine's end of a cable.
pub const LOOPBACK: &Causes = &[
    (
        &["overflowed its stack"],
        "`bring_up_loopback` calls itself, without an end",
    ),
    (
        &["find the interface"],
        "`bring_up_loopback`: the loopback interface is called lo",
    ),
    (
        &["(os error"],
        "`bring_up_loopback`: what rtnetlink(7) is about is asked on a socket \
         of SockProtocol::NetlinkRoute, as in `plug_in`",
    ),
    (
        &[": E"],
        "`bring_up_loopback`: what rtnetlink(7) is about is asked on a socket \
         of SockProtocol::NetlinkRoute, as in `plug_in`",
    ),
];

/// The request for the pair, which the kernel has refused.
pub const VETH: &Causes = &[
    (&["overflowed its stack"], "`plug_in` calls itself, without an end"),
    (&["EMFILE"], "`plug_in` calls itself, without an end"),
    (
        &["find the interface box"],
        "`plug_in` has made no interface of that name here. Is the request \
         sent? And IFLA_NET_NS_PID belongs to the peer alone: in the outer \
         attributes, it makes both ends be born inside",
    ),
    (
        &["/proc/sys/net"],
        "`plug_in` has made nothing: the request must be sent, and its error \
         returned",
    ),
    (
        &["EEXIST"],
        "`plug_in` asks for a name that is taken here. The machine's end is \
         called `cable.name`; and eth0 is born inside only if \
         IFLA_NET_NS_PID, within VETH_INFO_PEER, is `pid`",
    ),
    (
        &["ESRCH"],
        "`plug_in`: IFLA_NET_NS_PID is the number of no process. It is `pid`, \
         four bytes in the machine's own order: `to_ne_bytes`",
    ),
    (
        &["ERANGE"],
        "`plug_in`: an attribute is too short for what its number means here. \
         IFLA_INFO_KIND and IFLA_INFO_DATA belong into IFLA_LINKINFO; the \
         request's own body is `link(0, 0)`; IFLA_NET_NS_PID has four bytes",
    ),
    (
        &["ENODEV"],
        "`plug_in`: without CREATE the kernel looks for an interface that is \
         there, to change it",
    ),
    (
        &["EOPNOTSUPP"],
        "`plug_in`: the kernel knows no such sort of interface, or no such \
         request. IFLA_INFO_KIND is \"veth\", by `text`, in IFLA_LINKINFO; \
         VETH_INFO_PEER is in IFLA_INFO_DATA beside it; the kind of the \
         request is RTM_NEWLINK, the socket's NetlinkRoute",
    ),
    (
        &["EINVAL"],
        "`plug_in`: the boxes are not what the kernel wants of this sort of \
         interface. IFLA_INFO_KIND is \"veth\"; compare them, one by one, \
         with the comment in the exercise",
    ),
    (
        &[],
        "`plug_in` has made nothing here: compare its boxes with the comment \
         in the exercise, one by one",
    ),
];

/// The cable is there, and on out here.
pub const ROUTE: &Causes = &[
    (&["overflowed its stack"], "`configure` calls itself, without an end"),
    (&["EMFILE"], "`configure` calls itself, without an end"),
    (
        &["find the interface eth0"],
        "`plug_in` has made a peer, but not as eth0 in there: within \
         VETH_INFO_PEER, IFLA_IFNAME is eth0 and IFLA_NET_NS_PID is `pid`",
    ),
    (
        &["find the interface"],
        "`configure`: inside, the interface is called eth0",
    ),
    (&["give ", "EEXIST"], "`configure` gives the same address twice"),
    (
        &["give "],
        "`configure`: addresses are given by a socket of \
         SockProtocol::NetlinkRoute",
    ),
    (
        &["ENETUNREACH"],
        "`configure` adds a route whose gateway the kernel knows no way to. \
         Before it, eth0 gets its address (`cable.inside`) and is switched \
         on; RTA_GATEWAY is the `octets()` of `cable.outside`; the scope is \
         RT_SCOPE_UNIVERSE, and the type RTN_UNICAST",
    ),
    (
        &["ENETDOWN"],
        "`configure` adds the route before eth0 is on: `bring_up` comes first",
    ),
    (
        &["EEXIST"],
        "`configure` asks for a route that is there: the same twice?",
    ),
    (
        &["ENOENT"],
        "`configure`: without CREATE the kernel looks for a route that is \
         there, to change it",
    ),
    (
        &["ESRCH"],
        "`configure`: RTM_NEWROUTE makes a route; other kinds of request do \
         not",
    ),
    (
        &["ENODEV"],
        "`configure`: the route has no gateway. It needs the attribute \
         RTA_GATEWAY, and a body of exactly 12 bytes before it, or the kernel \
         finds none",
    ),
    (
        &["ERANGE"],
        "`configure`: an attribute or the body has a wrong length or kind: \
         RTA_GATEWAY, four bytes, as `octets()` gives them; the family is \
         INET",
    ),
    (
        &["EOPNOTSUPP"],
        "`configure`: the kernel has no such request. It is RTM_NEWROUTE for \
         the family INET, on a socket of SockProtocol::NetlinkRoute",
    ),
    (
        &["EINVAL"],
        "`configure`: the body is not what a route to everywhere has. 12 \
         bytes, in this order: INET, 0, 0, 0, table 254, protocol 4, scope 0, \
         type 1, and four of zero; RTA_GATEWAY has four bytes",
    ),
    (
        &[],
        "`configure`: an address, then switched on, then the route; and each \
         of the three returns its error",
    ),
];
