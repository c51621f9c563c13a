"""The fixtures that authors of integrations get."""

import pytest

pytest_plugins = ["pytester"]


@pytest.fixture
def author(pytester):
    """Runs a test file as an author would; the plugin is there without an entry point, too."""

    def run(text):
        pytester.makepyfile(text)
        return pytester.runpytest(
            "-p", "tagline.sandbox.pytest_plugin", "-p", "no:cacheprovider", "--strict-markers"
        )

    return run


def test_a_sandbox_in_process_holds_what_the_marker_says(author):
    done = author(
        """
        import httpx
        import pytest
        from tagline.sandbox.dataverse_quirks import OrganisationQuirks

        QUIRKS = OrganisationQuirks(count_has_bom=False)

        @pytest.mark.tagline_sandbox(
            seed=7, environments=("dev", "qa"), orders=3, organisation_quirks=QUIRKS
        )
        def test_marked(tagline_sandbox):
            assert tagline_sandbox.organisations["qa"].quirks is QUIRKS
            configs = tagline_sandbox.connection_configs("qa")
            shop = configs["shop"]
            headers = {
                "SecureUrl": shop["store_url"],
                "PrivateKey": tagline_sandbox.secret(shop["private_key"]),
                "Token": tagline_sandbox.secret(shop["token"]),
            }
            with httpx.Client(transport=tagline_sandbox.transport(), headers=headers) as client:
                assert client.get(shop["url"] + "/Orders?countonly=1").json() == {"TotalCount": 14}

        def test_unmarked(tagline_sandbox):
            assert tagline_sandbox.environments == ("dev",)
            assert len(tagline_sandbox.shops["dev"].orders) == 0
            assert not any(one.ordered for one in tagline_sandbox.finance["dev"].stock())
            tagline_sandbox.clock.advance(3600)
        """
    )
    done.assert_outcomes(passed=2)


def test_a_served_sandbox_is_reached_over_tls_and_gone_afterwards(author):
    done = author(
        """
        import ssl
        import httpx
        import pytest

        at = {}

        def test_served(tagline_sandbox_served):
            at["url"] = tagline_sandbox_served.connection_configs("dev")["finance"]["url"]
            context = ssl.create_default_context(cafile=tagline_sandbox_served.endpoints.ca_file)
            with httpx.Client(verify=context, trust_env=False) as client:
                assert client.get(at["url"] + "/data/Currencies").status_code == 401

        def test_later():
            with pytest.raises(httpx.ConnectError):
                httpx.get(at["url"], trust_env=False)
        """
    )
    done.assert_outcomes(passed=2)


@pytest.mark.parametrize("wrong", ["sed=1", "7"])
def test_a_marker_that_says_nothing_is_refused_by_name(author, wrong):
    done = author(
        f"""
        import pytest

        @pytest.mark.tagline_sandbox({wrong})
        def test_marked(tagline_sandbox):
            pass
        """
    )
    done.stdout.fnmatch_lines(["*tagline_sandbox takes environments, *, seed, shop_quirks, not *"])
    assert done.ret != 0


def test_one_name_where_a_tuple_belongs_is_refused(author):
    done = author(
        """
        import pytest

        @pytest.mark.tagline_sandbox(environments="dev")
        def test_marked(tagline_sandbox):
            pass
        """
    )
    done.stdout.fnmatch_lines(["*environments of tagline_sandbox is a tuple of names*"])
    assert done.ret != 0
