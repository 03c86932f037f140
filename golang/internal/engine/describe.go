package engine

import "github.com/cycletls/cycletls/golang/internal/envelope"

// Describe returns the notations of what a session of this identity would send,
// and the profile behind them in full, without making one.
func Describe(identity *envelope.Identity) (*envelope.Description, error) {
	choice := choiceOf(identity)
	profile, err := choice.Resolve()
	if err != nil {
		return nil, &OptionError{Cause: err}
	}
	hello := profile.ClientHello()
	ja3, ja4, original, akamai := hello.JA3(), hello.JA4(false), hello.JA4(true), profile.Akamai()
	return &envelope.Description{
		JA3: ja3.String(), JA3Hash: ja3.Hash(),
		JA4: ja4.Hash(), JA4R: ja4.String(), JA4O: original.Hash(), JA4RO: original.String(),
		Akamai: akamai.String(), AkamaiHash: akamai.Hash(),
		PeetPrint: hello.PeetPrint(), PeetPrintHash: hello.PeetPrintHash(),
		Document: string(profile.Explicit()),
	}, nil
}
