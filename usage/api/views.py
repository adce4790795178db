from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from opencoach.accounts.access import Caller
from opencoach.accounts.scopes import Scope
from usage.api.serializers import UsageQuery, UsageReport
from usage.selectors import usage_by


class UsageView(APIView):
    """What the workspace's model calls used and cost, summed by day, model, action or client."""

    scopes = {"GET": Scope.USAGE_READ}

    @extend_schema(operation_id="usage_read", parameters=[UsageQuery], responses=UsageReport)
    def get(self, request: Request) -> Response:
        query = UsageQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        asked: dict[str, Any] = query.validated_data
        caller: Caller = request.auth  # type: ignore[assignment]
        rows = usage_by(
            workspace_id=caller.workspace_id,
            group_by=asked["group_by"],
            first_day=asked["from"],
            last_day=asked["to"],
        )
        return Response(UsageReport({"results": rows}).data)
