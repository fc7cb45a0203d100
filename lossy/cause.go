package lossy

// A Cause says why a packet was dropped. The empty one says that it was not.
type Cause string

// The causes of this package. More may come.
const (
	CauseLoss     Cause = "loss"               // Loss, GilbertElliott or FourState
	CauseCrowding Cause = "crowding"           // Crowding
	CauseQueue    Cause = "queue full"         // the queue of a Rate, or a Limit
	CauseScript   Cause = "script"             // DropNth, DropEvery or DropIf
	CauseMTU      Cause = "too long"           // MTU
	CauseCut      Cause = "cut"                // Network.Partition
	CauseOverflow Cause = "receive queue full" // the reader was too slow
	CauseLimit    Cause = "too many in flight" // more than a conn may have on their way
	CauseNobody   Cause = "nobody there"       // no conn of the Network has the address
	CauseRefused  Cause = "refused"            // the wrapped conn could not write it
)
