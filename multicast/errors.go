package multicast

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// Reasons why a group cannot be joined, left or sent to.
var (
	// ErrNotGroup: the address is not that of a group.
	ErrNotGroup = errors.New("multicast: not a multicast group")
	// ErrControl: the group is in a block for control protocols, and Config.Control is
	// not set.
	ErrControl = errors.New("multicast: reserved for control protocols")
	// ErrAnySource: the group is in a block for source-specific multicast, and no
	// source was given.
	ErrAnySource = errors.New("multicast: the group needs a source")
	// ErrFamily: the address and the Conn are of different versions of IP.
	ErrFamily = errors.New("multicast: another version of IP than the conn's")
	// ErrFilter: there are sources to include and sources to exclude, or a source is not
	// a host, or it is a host on another interface.
	ErrFilter = errors.New("multicast: invalid source filter")
	// ErrJoined: the group is already joined on that interface.
	ErrJoined = errors.New("multicast: already joined")
	// ErrNotJoined: the group is not joined on that interface.
	ErrNotJoined = errors.New("multicast: not joined")
	// ErrNoInterface: no interface can be used, or it is not clear which one is meant.
	ErrNoInterface = errors.New("multicast: no interface for the group")
)

// errNoAddr: the destination of a packet is not an IP address and port.
var errNoAddr = errors.New("not an IP address and port")

// Reasons why an interface cannot be used.
var (
	errNoSuch      = errors.New("no interface has this name")
	errDown        = errors.New("it is down")
	errNoMulticast = errors.New("it cannot do multicast")
)

// bare returns the text of an error without the package's name, for an error that has it
// in front.
func bare(err error) string { return strings.TrimPrefix(err.Error(), "multicast: ") }

// A GroupError is the failure of an operation on a group.
type GroupError struct {
	// Op is "join", "leave" or "send to".
	Op        string
	Group     netip.Addr
	Interface string // empty if none was given
	Err       error
}

// Error returns "multicast: OP GROUP on INTERFACE: what".
func (e *GroupError) Error() string {
	on := ""
	if e.Interface != "" {
		on = " on " + e.Interface
	}
	return fmt.Sprintf("multicast: %s %v%s: %s", e.Op, e.Group, on, bare(e.Err))
}

// Unwrap returns Err.
func (e *GroupError) Unwrap() error { return e.Err }

// An InterfaceError is the reason why an interface cannot be used. It matches
// [ErrNoInterface].
type InterfaceError struct {
	Interface string
	Err       error
}

// Error returns "multicast: interface NAME: what".
func (e *InterfaceError) Error() string {
	return fmt.Sprintf("multicast: interface %s: %v", e.Interface, e.Err)
}

// Unwrap returns Err.
func (e *InterfaceError) Unwrap() error { return e.Err }

// Is reports whether target is ErrNoInterface.
func (e *InterfaceError) Is(target error) bool { return target == ErrNoInterface }
