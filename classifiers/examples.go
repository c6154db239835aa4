package classifiers

import (
	"fmt"
	"strings"
)

// Cases of detectors whose texts are long.

// contactsExample makes a table of n people under a header of three columns.
func contactsExample(header, sep string, mail bool, n int) string {
	var b strings.Builder
	b.WriteString(header + "\n")
	for i := range n {
		last := fmt.Sprintf("+49 30 90182%03d", i)
		if mail {
			last = fmt.Sprintf("person%d@firma-beispiel.de", i)
		}
		fmt.Fprintf(&b, "Anna%s%q%s%s\n", sep, fmt.Sprint("Nowak", sep, i), sep, last)
	}
	return b.String()
}

// mnemonicExamples are sentences made for tests, of every length.
func mnemonicExamples() []string {
	return []string{
		"My wallet's recovery phrase: motion adjust dwarf glare deposit invest general brain around avoid bulk radio",
		"Wiederherstellungsphrase\nerupt jar exchange twist deer monster coral west mass mystery horse sight present subject version\n",
		"1. rural\n2. armor\n3. veteran\n4. noble\n5. assume\n6. maple\n7. awkward\n8. boy\n9. student\n10. mass\n11. dinosaur\n12. marine\n13. library\n14. evoke\n15. carry\n16. come\n17. response\n18. glass\n",
		`{"mnemonic":"kite donor science flock zero trumpet casual capable doll brush swim kiss beef plastic wife occur mansion spare help doll charge"}`,
		"fraza odzyskiwania: Caught Acid Awkward Melt Month History Resemble Expect Innocent Humble Benefit Purpose Second Asthma Math More Poet Month Brother Canoe Slim Grief Endorse Ramp",
	}
}
