from transload.catalog.builtin import load_builtin

BDC = load_builtin("bdc")
CUS = [1, 2, 3, 4, 5, 6, 8, "8-GDR", *range(9, 17), "16-GDR", 17, 18]
NAMES = ["GDR1", *(f"CU{number}" for number in CUS)]


def test_releases_are_in_the_order_of_their_appearance() -> None:
    assert [release.name for release in BDC.releases] == NAMES
    tags = [release.tag for release in BDC.releases]
    assert [offer.release.name for offer in BDC.releases_at_source(sorted(tags))] == NAMES[::-1]


def test_every_release_has_the_23_images() -> None:
    assert {len(release.images) for release in BDC.releases} == {23}
    selected = BDC.select(BDC.release("cu9"))
    assert len(selected) == 23
    assert str(selected[0].source) == "mcr.microsoft.com/mssql/bdc/mssql-app-service-proxy:2019-CU9-ubuntu-16.04"
    assert selected[0].repository == "mssql-app-service-proxy"


def test_tags_and_dates() -> None:
    assert BDC.release("CU8-GDR").tag == "2019-CU8-GDR2-ubuntu-16.04"
    assert BDC.release("CU16-GDR").tag == "2019-CU16-GDR3-ubuntu-20.04"
    assert BDC.release("CU10").tag == "2019-CU10-ubuntu-20.04"
    assert (BDC.release("CU1").date, BDC.release("CU18").date) == ("2020-01-07", "2022-09")


def test_a_later_cumulative_update_is_newer_and_not_known() -> None:
    newest = BDC.newest(["2019-CU18-ubuntu-20.04", "2019-CU21-ubuntu-20.04", "2019-CU9-ubuntu-16.04", "latest"])
    assert (newest.tag, newest.known, len(newest.images)) == ("2019-CU21-ubuntu-20.04", False, 23)
