"""Names that mouse genes bore in references of genomes, and the symbols they have now.

Facts of nomenclature, each checked by hand. The new symbol is one of MGI's homology
classes, through which the human genes are found. Names that human genes bore as well
are known from HGNC and not here. A name that is not here stays unknown.
"""

from __future__ import annotations

# Old name>symbol.
_NAMED = """
Akap2>Pakap Akr1b3>Akr1b1 Atp5k>Atp5me Cbwd1>Zng1 Chi3l3>Chil3 Cml1>Nat8f1 Cxx1a>Rtl8a
Cxx1b>Rtl8b Cxx1c>Rtl8c Cyb5>Cyb5a Daf1>Cd55 Daf2>Cd55b Diap1>Diaph1 Diap2>Diaph2
Diap3>Diaph3 Dnahc1>Dnah1 Dnahc10>Dnah10 Dnahc11>Dnah11 Dnahc17>Dnah17 Dnahc2>Dnah2
Dnahc5>Dnah5 Dnahc6>Dnah6 Dnahc7a>Dnah7a Dnahc7b>Dnah7b Dnahc8>Dnah8 Dnahc9>Dnah9
Dnaic1>Dnai1 Dnaic2>Dnai2 Dnalc1>Dnal1 Dnalc4>Dnal4 Dos>Cbarp Drd1a>Drd1 Epb4.1>Epb41
Epb4.1l1>Epb41l1 Epb4.1l2>Epb41l2 Epb4.1l3>Epb41l3 Epb4.1l4a>Epb41l4a
Epb4.1l4b>Epb41l4b Epb4.1l5>Epb41l5 Epb4.2>Epb42 Epb4.9>Dmtn Fam21>Washc2 Fam58b>Ccnq
Fcrls>Fcrl2 Fert2>Fer Gtl3>Cfap20 Gyk>Gk H1foo>H1f8 H1fx>H1f10 H2-Ke2>Pfdn6
H2-Ke4>Slc39a7 H2-Ke6>Hsd17b8 H2afv>H2az2 H2afy>Macroh2a1 H2afy2>Macroh2a2 H2afz>H2az1
Hdgfrp2>Hdgfl2 Hdgfrp3>Hdgfl3 Hist1h1a>H1f1 Hist1h1b>H1f5 Hist1h1c>H1f2 Hist1h1d>H1f3
Hist1h1e>H1f4 Hnrpdl>Hnrnpdl Hnrpll>Hnrnpll Hras1>Hras l7Rn6>Hikeshi Lnp>Lnpk
Lppr1>Plppr1 Lppr2>Plppr2 Lppr3>Plppr3 Lppr4>Plppr4 Lppr5>Plppr5
Mettl7a1>Tmt1a Mfsd7a>Slc49a3 Mfsd7b>Flvcr1 Mfsd7c>Flvcr2 Mll1>Kmt2a Nim1>Nim1k
Palm2>Pakap Peo1>Twnk Pex11c>Pex11g Qk>Qki Rab1>Rab1a Ric8>Ric8a Rp2h>Rp2 Scn2a1>Scn2a
Selk>Selenok Selm>Selenom Sep15>Selenof Sfpi1>Spi1 Sgol2>Sgo2a Slc24a6>Slc8b1
Stk30>Mok Stxbp3a>Stxbp3 Tprgl>Tprg1l Wash>Washc1 Wbp7>Kmt2b Zfml>Zfp638 Zfp191>Zfp24
Zfp259>Zpr1
"""
# Clones, expressed sequences and loci, named before anybody knew what they do.
_CLONES = """
0610007P14Rik>Erg28 0610009D07Rik>Sf3b6 0610031J06Rik>Glmp 1110008F13Rik>Rab5if
1110008P14Rik>Bbln 1110037F02Rik>Virma 1190002N15Rik>Dipk2a 1200014J11Rik>Ncbp3
1500011K16Rik>Mtln 1500015O10Rik>Ecrg4 1810011O10Rik>Tcim 1810041L15Rik>Shisal1
1810043H04Rik>Ndufaf8 2010107E04Rik>Atp5mj 2010107G23Rik>Fam241b 2010111I01Rik>Aopep
2010300C02Rik>Cracdl 2310035C23Rik>Relch 2310036O22Rik>Trir 2310047M10Rik>Borcs6
2310067B10Rik>Tmem94 2410015M20Rik>Micos13 2410016O06Rik>Riox1 2410066E13Rik>Mturn
2410089E03Rik>Cplane1 2410127L17Rik>Carnmt1 2510003E04Rik>Kifbp 2610015P09Rik>Ccdc191
2610301B20Rik>Cfap418 2610507B11Rik>Bltp2 2700060E02Rik>Rtraf 2700094K13Rik>Selenoh
2810417H13Rik>Pclaf 2810474O19Rik>Resf1 2900011O08Rik>Bmerb1 3110043O21Rik>C9orf72
3632451O06Rik>Armh4 4632428N05Rik>Vsir 4833424O15Rik>Plppr5 4930402H24Rik>Dnaaf9
4930506M07Rik>Shtn1 4931406P16Rik>Garre1 4932438A13Rik>Bltp1 5330417C22Rik>Elapor1
5730508B09Rik>Fam241a 6030419C18Rik>Insyn1 6330403M23Rik>Igip 6430573F11Rik>Trmt9b
8430419L09Rik>Fam234b 9030624J02Rik>Vps35l 9130011E15Rik>Armh3 9330182L06Rik>Elapor2
9430020K01Rik>Jcad A230046K03Rik>Washc4 A730017C20Rik>Minar2 A830080D01Rik>Bclaf3
AF529169>Minar1 AI314180>Ecpas AK010878>Gon7 B230120H23Rik>Map3k20 BC003331>Odr4
BC005764>Plppr3 BC016423>Tasor2 BC017643>Cybc1 BC018242>Plppr2 BC068157>Prr36
C530008M17Rik>Cracd C77080>Nhsl3 C77370>Nexmif D10Jhu81e>Gatd3a D10Wsu52e>Rtcb
D14Abb1e>Tasor D15Ertd621e>Fam91a1 D17Wsu104e>Mydgf D17Wsu92e>Ilrun D19Bwg1357e>Pum3
D3Bwg0562e>Plppr4 D430042O09Rik>Katnip D4Wsu53e>Rsrp1 D8Ertd82e>Prag1
E130012A19Rik>Epop E130309F12Rik>Plppr1 E430025E21Rik>Washc5 N28178>Phf24
"""

OLD_MOUSE_NAMES: dict[str, str] = {
    old: new
    for pair in f"{_NAMED} {_CLONES}".split()
    for old, _, new in (pair.partition(">"),)
}
"""Old symbol of a mouse gene -> its symbol today."""
