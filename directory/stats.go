package directory

// Stats say what a directory did.
type Stats struct {
	// Received and Sent count datagrams; Bad, of those received, counts what was
	// ignored, and Duplicates what had been accepted before. SentAgain counts, of those
	// sent, fragments of answers that were not acknowledged in time.
	Received, Sent  uint64
	Bad, Duplicates uint64
	SentAgain       uint64

	// Requests that were understood, by type; and of all requests those that were
	// refused, "nobody has it" included.
	Updates, Lookups, Exits, Views uint64
	Refused                        uint64

	// Answered counts answers of which all was acknowledged. Unconfirmed counts those
	// of which it was not: they may have arrived.
	Answered, Unconfirmed uint64

	// Expired counts peers that fell silent, and Evicted requests that were forgotten
	// in favour of newer ones.
	Expired, Evicted uint64
}
