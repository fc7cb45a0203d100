package ferry

import "errors"

// Errors that several protocols return. They have no prefix, like those of io/fs: the
// protocol that returns one wraps it and says where it happened. Test for them with
// errors.Is.
var (
	// ErrNoAnswer: the other side never answered.
	ErrNoAnswer = errors.New("no answer")
	// ErrSilent: the other side took part in the transfer and then stopped answering.
	ErrSilent = errors.New("silent")
	// ErrUnconfirmed: everything was sent, but the confirmation of the end did not
	// arrive. The other side may have the whole file.
	ErrUnconfirmed = errors.New("sent, not confirmed")
	// ErrRestarted: the other side was restarted and does not know the transfer.
	ErrRestarted = errors.New("restarted")
	// ErrBusy: the other side, or this one, has as many transfers as it may have.
	ErrBusy = errors.New("too many transfers")
	// ErrDigest: the data that arrived differs from the data that was sent.
	ErrDigest = errors.New("wrong digest")
	// ErrSize: a source holds more or fewer bytes than its Size.
	ErrSize = errors.New("source and its size differ")
	// ErrTooLarge: a file is larger than the receiver accepts.
	ErrTooLarge = errors.New("file too large")
	// ErrDiskFull: the disk has too little space for the file.
	ErrDiskFull = errors.New("disk full")
)

// Errors of packets. Such a packet is counted, reported to Trace and ignored. It never ends
// a transfer.
var (
	// ErrTruncated: the packet is shorter than its header, or than its own fields say.
	ErrTruncated = errors.New("packet too short")
	// ErrChecksum: the checksum does not match.
	ErrChecksum = errors.New("wrong checksum")
	// ErrUnsolicited: the packet comes from an address that takes no part in the
	// transfer.
	ErrUnsolicited = errors.New("packet from an address that takes no part")
)
