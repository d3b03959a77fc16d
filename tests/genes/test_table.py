from napari_semst.genes.table import builtin_symbols, builtin_table


def test_symbols_read_alone_are_those_of_the_whole_table():
    whole = builtin_table()
    builtin_symbols.cache_clear()
    builtin_table.cache_clear()
    symbols, ensembl = builtin_symbols()
    assert builtin_table.cache_info().currsize == 0, "vectors were not read"
    assert symbols == whole.symbols
    assert ensembl == whole.ensembl
    builtin_symbols.cache_clear()
    builtin_table()
    assert builtin_symbols() == (whole.symbols, whole.ensembl)
