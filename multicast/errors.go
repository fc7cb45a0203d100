package multicast

import (
	"errors"
	"fmt"
	"net/netip"
)

// Why a group cannot be joined, left or sent to.
var (
	// ErrNotGroup: the address is not that of a group.
	ErrNotGroup = errors.New("not a multicast group")
	// ErrControl: the group is in a block for control, and Config.Control is not set.
	ErrControl = errors.New("reserved for control protocols")
	// ErrAnySource: the group is in a block for source-specific multicast, and no
	// source was given.
	ErrAnySource = errors.New("needs a source")
	// ErrFamily: the address is of another version of IP than the Conn.
	ErrFamily = errors.New("of another version of IP")
	// ErrFilter: sources to include and sources to exclude, or a source that is no host,
	// or is one on another interface.
	ErrFilter = errors.New("bad source filter")
	// ErrJoined: the group has been joined on that interface before.
	ErrJoined = errors.New("joined already")
	// ErrNotJoined: the group has not been joined on that interface.
	ErrNotJoined = errors.New("not joined")
	// ErrNoInterface: there is no interface that is up and can do multicast.
	ErrNoInterface = errors.New("no usable interface")
)

// errNoAddr: what a packet was to be sent to is no address of UDP.
var errNoAddr = errors.New("no address to send to")

// Why an interface cannot be used.
var (
	errNoSuch      = errors.New("there is none of that name")
	errDown        = errors.New("is down")
	errNoMulticast = errors.New("cannot do multicast")
)

// A GroupError says what went wrong with a group.
type GroupError struct {
	// Op is "join", "leave" or "send to".
	Op        string
	Group     netip.Addr
	Interface string // empty: none was given
	Err       error
}

// Error returns "multicast: OP GROUP on INTERFACE: what".
func (e *GroupError) Error() string {
	on := ""
	if e.Interface != "" {
		on = " on " + e.Interface
	}
	return fmt.Sprintf("multicast: %s %v%s: %v", e.Op, e.Group, on, e.Err)
}

// Unwrap returns Err.
func (e *GroupError) Unwrap() error { return e.Err }

// An InterfaceError says why an interface cannot be used. It is an [ErrNoInterface].
type InterfaceError struct {
	Interface string
	Err       error
}

// Error returns "interface NAME: what".
func (e *InterfaceError) Error() string { return fmt.Sprintf("interface %s: %v", e.Interface, e.Err) }

// Unwrap returns Err.
func (e *InterfaceError) Unwrap() error { return e.Err }

// Is reports whether target is ErrNoInterface.
func (e *InterfaceError) Is(target error) bool { return target == ErrNoInterface }
