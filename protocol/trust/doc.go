// Package trust holds lists of peers that are believed: proxies whose word about the
// client counts (--forwarded-allow-ips, --proxy-allow-from).
//
// A peer is an address, or somebody on a unix socket, who has none. Membership of an
// address is asked for in two ways, and they differ where a list is "*": that believes
// whoever connects, but makes no proxy of an address that somebody merely names.
package trust
